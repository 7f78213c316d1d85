// ldmatrix stmatrix movmatrix: 8 x 8 matrices of 16-bit elements. Lane l holds elements (l / 4, 2 (l % 4)) and the next one of each.
#include "access.h"
#include "build.h"
#include "vector_operand.h"

namespace gpusim {
namespace {

struct Tile {
  uint16_t at[8][8];
};

void commit(const Warp& w, Ref ref, const Tile& tile, bool transposed) {
  uint32_t out[kLanes];
  for (int lane = 0; lane < kLanes; ++lane) {
    const int row = lane / 4, column = 2 * (lane % 4);
    out[lane] = transposed ? tile.at[column][row] | static_cast<uint32_t>(tile.at[column + 1][row]) << 16
                           : tile.at[row][column] | static_cast<uint32_t>(tile.at[row][column + 1]) << 16;
  }
  w.commit(ref, out, kFullMask);
}

Tile gather(const Warp& w, Ref ref, bool transposed) {
  Tile tile;
  const uint32_t* from = w.src<uint32_t>(ref);
  for (int lane = 0; lane < kLanes; ++lane)
    for (int e = 0; e < 2; ++e) {
      const int row = lane / 4, column = 2 * (lane % 4) + e;
      (transposed ? tile.at[column][row] : tile.at[row][column]) = static_cast<uint16_t>(from[lane] >> 16 * e);
    }
  return tile;
}

void need_all(Mask active) {
  if (active != kFullMask) throw Fault(Check::kBarrier, __builtin_ctz(~active), "ldmatrix and its like need all 32 threads of the warp");
}

uint64_t row_address(const Warp& w, const Inst& in, int lane) {
  uint64_t address = lane_address(w, in, in.refs[0], lane);
  if (in.space == Space::kShared && (address & kWindowMask) == kSharedWindow) address &= ~kWindowMask;
  return address;
}

void count(Warp& w, const Inst& in, SharedPort port) {
  if (!w.block.launch.count_memory) return;
  for (int i = 0; i < in.n; ++i) {
    uint32_t offsets[kLanes] = {};
    for (int row = 0; row < 8; ++row) offsets[row] = static_cast<uint32_t>(row_address(w, in, 8 * i + row));
    count_shared(w, offsets, 0xff, 16, port);
    if (i) --w.counters.shared[static_cast<int>(port)].requests;
  }
}

// refs: address, registers. Lane 8 i + r has the address of row r of matrix i. in.a: transposed.
void run_load(Warp& w, const Inst& in, Mask active) {
  need_all(active);
  count(w, in, SharedPort::kMatrixLoad);
  Tile tiles[4];
  for (int i = 0; i < in.n; ++i)
    for (int row = 0; row < 8; ++row) {
      const int lane = 8 * i + row;
      std::memcpy(tiles[i].at[row], resolve(w, in, lane, row_address(w, in, lane), 16, Access::kRead), 16);
    }
  for (int i = 0; i < in.n; ++i) commit(w, in.refs[1 + i], tiles[i], in.a);
}

void run_store(Warp& w, const Inst& in, Mask active) {
  need_all(active);
  count(w, in, SharedPort::kMatrixStore);
  for (int i = 0; i < in.n; ++i) {
    const Tile tile = gather(w, in.refs[1 + i], in.a);
    for (int row = 0; row < 8; ++row) {
      const int lane = 8 * i + row;
      uint8_t* to = resolve(w, in, lane, row_address(w, in, lane), 16, Access::kWrite);
      note_shared_write(w, in, lane, to, tile.at[row], 16);
      std::memcpy(to, tile.at[row], 16);
    }
  }
}

void run_move(Warp& w, const Inst& in, Mask active) {
  need_all(active);
  commit(w, in.refs[0], gather(w, in.refs[1], false), true);
}

}  // namespace

bool select_matrix_load(Build& b) {
  const std::string_view op = b.words.base();
  const bool load = op == "ldmatrix";
  if (!load && op != "stmatrix" && op != "movmatrix") return false;
  Inst& in = b.inst;
  in.flow = Flow::kAligned;
  in.cls = Class::kMatrixLoad;
  b.words.has("sync"), b.words.has("aligned");
  if (!b.words.has("m8n8")) b.fail("this shape");
  if (b.words.type() != Type::kB16) b.fail("this type");
  in.a = b.words.has("trans");
  if (op == "movmatrix") {
    in.run = run_move;
    b.dst(0), b.src(1, Type::kB32);
    return true;
  }
  const int count = b.words.one_of({"x1", "x2", "x4"});
  if (count < 0) b.fail("expected .x1, .x2 or .x4");
  in.n = static_cast<uint8_t>(1 << count);
  b.words.has("shared"), b.words.has("shared::cta");
  b.address(b.operand(load ? 1 : 0), Space::kShared);
  vector_operand(b, load ? 0 : 1, in.n, Type::kB32, load);
  in.run = load ? run_load : run_store;
  return true;
}

}  // namespace gpusim
