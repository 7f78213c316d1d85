// gpusim_fuzz <rounds>: changes a seed in small ways (bytes, words of it swapped, lines repeated or dropped) and runs the fuzz target on
// each.
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);

namespace {

const char kSeed[] = R"ptx(
.version 8.4
.target sm_80
.address_size 64
.file 1 "seed.cu"
.const .align 4 .b8 table[16] = {1, 2, 0x30, 4};
.global .align 8 .u64 pointers[2] = {generic(numbers)+8, twice};
.global .align 4 .u32 numbers[8];
.extern .shared .align 16 .b8 dynamic[];
.visible .func (.param .b32 result) twice(.param .b32 value)
{
  .reg .b32 %r<3>;
  ld.param.u32 %r1, [value];
  add.s32 %r2, %r1, %r1;
  st.param.b32 [result+0], %r2;
  ret;
}
.visible .entry kernel(.param .u64 in, .param .align 4 .b8 big[12])
.maxntid 64, 1, 1
{
  .local .align 8 .b8 depot[16];
  .shared .align 4 .b8 box[256];
  .reg .pred %p<6>;
  .reg .b16 %rs<6>;
  .reg .b32 %r<40>;
  .reg .f32 %f<12>;
  .reg .b64 %rd<12>;
  .reg .f64 %fd<4>;
  .loc 1 3 0
  mov.u64 %rd1, depot;
  mov.u32 %r1, %tid.x;
  ld.param.u32 %r2, [big+4];
  setp.lt.s32 %p1|%p2, %r1, 7;
  @%p1 bra $small;
  mul.wide.u32 %rd2, %r1, 4;
  mov.u64 %rd3, numbers;
  and.b64 %rd2, %rd2, 28;
  add.s64 %rd4, %rd3, %rd2;
  atom.global.add.u32 %r3, [%rd4], 5;
  ld.volatile.global.u32 %r4, [%rd4];
$small:
  mov.u32 %r5, box;
  shl.b32 %r6, %r1, 2;
  add.s32 %r7, %r5, %r6;
  st.shared.u32 [%r7], %r1;
  bar.sync 0;
  ld.shared.v2.u32 {%r8, %r9}, [box+8];
  cvt.rn.f32.s32 %f1, %r8;
  fma.rn.ftz.f32 %f2, %f1, 0f3FC00000, %f1;
  cvt.rn.f16.f32 %rs1, %f2;
  mov.b32 %r10, {%rs1, %rs2};
  lop3.b32 %r11, %r8, %r9, %r10, 0x96;
  prmt.b32 %r12, %r11, %r8, 0x5410;
  and.b32 %r13, %r1, 3;
  ts: .branchtargets $a, $b, $a, $b;
  brx.idx %r13, ts;
$a:
  { .param .b32 argument;
    .param .b32 answer;
    st.param.b32 [argument+0], %r1;
    call.uni (answer), twice, (argument);
    ld.param.b32 %r14, [answer+0];
  }
  bra.uni $join;
$b:
  vote.sync.ballot.b32 %r15, %p1, -1;
$join:
  activemask.b32 %r16;
  shfl.sync.bfly.b32 %r17|%p3, %r1, 1, 31, %r16;
  st.local.u32 [depot+4], %r17;
  cp.async.ca.shared.global [dynamic], [numbers], 4;
  cp.async.wait_all;
  mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32 {%f3,%f4,%f5,%f6}, {%r1,%r2,%r8,%r9}, {%r8,%r9}, {%f1,%f2,%f1,%f2};
  mma.sp.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 {%f3,%f4,%f5,%f6}, {%r1,%r2}, {%r8,%r9}, {%f1,%f2,%f1,%f2}, %r12, 0x0;
  cvt.rzi.s64.f64 %rd5, %fd1;
  div.rn.f64 %fd2, %fd1, 0d3FF8000000000000;
  selp.b64 %rd6, %rd5, %rd4, !%p2;
  @!%p2 trap;
  ret;
}
)ptx";

uint64_t state = 1;
size_t below(size_t end) {
  state = state * 6364136223846793005u + 1442695040888963407u;
  return end ? static_cast<size_t>(state >> 33) % end : 0;
}

std::vector<std::string> split(const std::string& text, char at) {
  std::vector<std::string> parts(1);
  for (char c : text) {
    if (c == at)
      parts.emplace_back();
    else
      parts.back() += c;
  }
  return parts;
}

std::string mutated(std::string text) {
  for (size_t changes = 1 + below(4); changes > 0 && !text.empty(); --changes) {
    std::vector<std::string> lines = split(text, '\n');
    std::string& line = lines[below(lines.size())];
    const std::string other = lines[below(lines.size())];
    const std::vector<std::string> words = split(other, ' ');
    const size_t at = below(line.size() + 1);
    switch (below(7)) {
      case 0:
        if (!line.empty()) line[below(line.size())] = static_cast<char>(below(256));
        break;
      case 1: line.erase(at, 1 + below(6)); break;
      case 2: line.insert(at, words[below(words.size())]); break;
      case 3: line = other; break;
      case 4: line.clear(); break;
      case 5: line += "\n" + other; break;
      default: {
        static const char* const hard[] = {"4294967296", "-1", "0x7fffffffffffffff", "99999", "{", "}", ";", "%r39", "%p1", ".v4", ".b8",
                                           ".s64",       "[",  "<9999999>"};
        line.insert(at, hard[below(sizeof hard / sizeof *hard)]);
      }
    }
    text.clear();
    for (const std::string& l : lines) text += l + "\n";
    text.pop_back();
  }
  return text;
}

}  // namespace

int main(int count, char** arguments) {
  const std::string seed = kSeed;
  const auto run = [](const std::string& text) { LLVMFuzzerTestOneInput(reinterpret_cast<const uint8_t*>(text.data()), text.size()); };
  run(seed);
  const int rounds = count > 1 ? std::atoi(arguments[1]) : 1000;
  for (int i = 0; i < rounds; ++i) run(mutated(seed));
  std::printf("%d mutations survived\n", rounds);
}
