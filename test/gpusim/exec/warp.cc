// What a warp is made of: its lanes' special registers, frames and local memory.
#include "warp.h"

#include <algorithm>
#include <cstdio>

#include "block.h"

namespace gpusim {
namespace {

constexpr size_t kMaxLocal = size_t{512} << 10;  // as on a device, the most local memory of a thread
constexpr size_t kMaxFrames = 4096;

void special_lanes(const Warp& warp, int special, uint32_t* out) {
  const Block& block = warp.block;
  const Launch& launch = block.launch;
  const uint32_t* dim = launch.block;
  for (uint32_t lane = 0; lane < 32; ++lane) {
    const uint32_t linear = static_cast<uint32_t>(warp.index) * 32 + lane;
    uint32_t v = 0;
    switch (special) {
      case kTidX: v = linear % dim[0]; break;
      case kTidY: v = linear / dim[0] % dim[1]; break;
      case kTidZ: v = linear / (dim[0] * dim[1]); break;
      case kNtidX:
      case kNtidY:
      case kNtidZ: v = dim[special - kNtidX]; break;
      case kCtaidX:
      case kCtaidY:
      case kCtaidZ: v = block.id[special - kCtaidX]; break;
      case kNctaidX:
      case kNctaidY:
      case kNctaidZ: v = launch.grid[special - kNctaidX]; break;
      case kLaneid: v = lane; break;
      case kWarpid: v = static_cast<uint32_t>(warp.index); break;
      case kNwarpid: v = static_cast<uint32_t>((launch.threads_per_block() + 31) / 32); break;
      case kSmid: v = static_cast<uint32_t>(block.index % static_cast<uint64_t>(launch.sm_count)); break;
      case kNsmid: v = static_cast<uint32_t>(launch.sm_count); break;
      case kGridid: v = launch.number; break;
      case kLanemaskEq: v = 1u << lane; break;
      case kLanemaskLe: v = (2u << lane) - 1; break;
      case kLanemaskLt: v = (1u << lane) - 1; break;
      case kLanemaskGe: v = ~((1u << lane) - 1); break;
      case kLanemaskGt: v = ~((2u << lane) - 1); break;
      case kDynamicSmem: v = static_cast<uint32_t>(launch.dynamic_shared); break;
      case kTotalSmem: v = static_cast<uint32_t>(block.shared_bytes); break;
      case kWarpSize: v = 32; break;
      case kClusterOne: v = 1; break;
      case kWorkspaceHigh: v = static_cast<uint32_t>(launch.workspace >> 32); break;
      case kWorkspaceLow: v = static_cast<uint32_t>(launch.workspace); break;
      case kReservedOffset: v = kReservedShared; break;
      default: break;
    }
    out[lane] = v;
  }
}

}  // namespace

Warp::Warp(Block& block, int index, Mask lanes) : block(block), index(index), alive(lanes), counters(block.counters) {
  Split s;
  s.mask = lanes;
  s.frame = new_frame(block.launch.code, 0);
  splits.push_back(s);
  select(0);
}

Frame* Warp::new_frame(const Code* code, size_t local_base) {
  if (frames_.size() >= kMaxFrames) throw Fault(Check::kBounds, -1, "stack overflow: calls are nested too deep");
  auto frame = std::make_unique<Frame>();
  frame->code = code;
  // The slack keeps a 64-bit result in a 32-bit register, which is wrong PTX, inside the frame.
  frame->memory = std::make_unique<uint8_t[]>(code->register_bytes + 64 + 256);
  frame->regs = reinterpret_cast<uint8_t*>((reinterpret_cast<uintptr_t>(frame->memory.get()) + 63) & ~uintptr_t{63});
  frame->constants = reinterpret_cast<const uint8_t*>(code->constants.data());
  frame->local_base = local_base;
  if (block.launch.count_memory) frame->spots = counters.spots_of(code, code->code.size());
  const size_t needed = (local_base + code->local_bytes + 15) / 16 * 16;
  if (needed > kMaxLocal) throw Fault(Check::kBounds, -1, "stack overflow: a thread needs more than 512 KB of local memory");
  if (needed > local_stride_) {  // a row for each lane
    const size_t stride = std::max(needed, local_stride_ * 2);
    std::vector<uint8_t> bigger(stride * kLanes);
    for (size_t lane = 0; lane < kLanes && local_stride_; ++lane)
      std::memcpy(bigger.data() + lane * stride, local_.data() + lane * local_stride_, local_stride_);
    local_.swap(bigger);
    local_stride_ = stride;
  }
  for (const auto& [special, offset] : code->specials) {
    if (special == kLocalBase) {
      uint64_t* lanes = reinterpret_cast<uint64_t*>(frame->regs + offset);
      std::fill(lanes, lanes + kLanes, kLocalWindow + local_base);
    } else {
      special_lanes(*this, special, reinterpret_cast<uint32_t*>(frame->regs + offset));
    }
  }
  frames_.push_back(std::move(frame));
  return frames_.back().get();
}

void Warp::select(int split) {
  current = split;
  regs = this->split().frame->regs;
  constants = this->split().frame->constants;
}

uint32_t Warp::pc_for_reports() const {
  return inst_ ? static_cast<uint32_t>(inst_->source - block.launch.code->function->code.data()) : 0;
}

std::string Warp::describe_wait(const Split& s) const {
  const Instruction& source = *s.frame->code->code[static_cast<size_t>(s.pc)].source;
  std::string text = "lanes ";
  char mask[16];
  std::snprintf(mask, sizeof mask, "%08x", s.mask);
  text += mask;
  text += " of warp " + std::to_string(index) + " wait at " + std::string(source.opcode);
  if (source.line) text += " (line " + std::to_string(source.line) + ")";
  return text;
}

}  // namespace gpusim
