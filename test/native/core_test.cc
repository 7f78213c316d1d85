// native/core but for the thread pool: cpu, memory, status.
#include <atomic>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <set>
#include <thread>
#include <utility>

#include "../../native/core/cpu.h"
#include "../../native/core/memory.h"
#include "../../native/core/status.h"
#include "harness.h"

namespace sk_test {
namespace {

using sk::AlignedBuffer;

bool aligned(const void* p) { return reinterpret_cast<uintptr_t>(p) % sk::kAlignment == 0; }

void aligned_buffer() {
  AlignedBuffer buffer;
  check(buffer.bytes() == 0 && buffer.as<char>() == nullptr, "AlignedBuffer: starts empty");
  check(buffer.reserve(0) && buffer.bytes() == 0, "AlignedBuffer: reserve(0) succeeds");

  bool ok = true;
  for (size_t bytes : {1, 63, 64, 65, 4095, 100000}) {
    AlignedBuffer one;
    ok &= one.reserve(bytes) && one.bytes() >= bytes && aligned(one.as<void>());
    std::memset(one.as<char>(), 1, bytes);
  }
  check(ok, "AlignedBuffer: every block is aligned to 64 bytes and as large as asked for");

  check(buffer.reserve(1000), "AlignedBuffer: reserve()");
  char* block = buffer.as<char>();
  std::memset(block, 7, 1000);
  check(buffer.reserve(10) && buffer.reserve(1000) && buffer.as<char>() == block && block[999] == 7,
        "AlignedBuffer: keeps a block that is large enough");
  check(buffer.reserve(1001) && buffer.bytes() >= 1001, "AlignedBuffer: grows");

  block = buffer.as<char>();
  AlignedBuffer moved(std::move(buffer));
  check(moved.as<char>() == block && buffer.as<char>() == nullptr && buffer.bytes() == 0,
        "AlignedBuffer: move construction leaves nothing");
  AlignedBuffer target;
  check(target.reserve(64), "AlignedBuffer: reserve()");
  target = std::move(moved);
  check(target.as<char>() == block && moved.as<char>() == nullptr && moved.bytes() == 0, "AlignedBuffer: move assignment leaves nothing");
  AlignedBuffer& self = target;
  target = std::move(self);
  check(target.as<char>() == block, "AlignedBuffer: survives assignment to itself");
  check(moved.reserve(8) && moved.as<char>() != nullptr, "AlignedBuffer: can be used again after a move");

  check(!target.reserve(std::numeric_limits<size_t>::max() / 2), "AlignedBuffer: reports that there is no memory");
  check(target.bytes() == 0 && target.as<char>() == nullptr && target.reserve(8), "AlignedBuffer: is empty and of use after it");
  target.release();
  target.release();
  check(target.bytes() == 0 && target.as<char>() == nullptr, "AlignedBuffer: release() may be called twice");
}

void scratch() {
  void* first = sk::thread_scratch(1000);
  std::memset(first, 1, 1000);
  check(first != nullptr && aligned(first) && sk::thread_scratch(500) == first, "thread_scratch: is aligned and kept between calls");
  bool ok = true;
  for (size_t bytes : {size_t{1} << 12, size_t{40} << 20, size_t{1} << 20, size_t{33} << 20, size_t{64}}) {
    char* p = static_cast<char*>(sk::thread_scratch(bytes));
    ok &= p != nullptr && aligned(p);
    if (p) p[0] = p[bytes - 1] = 1;
  }
  check(ok, "thread_scratch: is as large as asked for, growing and shrinking");

  constexpr int kThreads = 4;
  void* blocks[kThreads] = {};
  bool kept[kThreads] = {};
  std::thread threads[kThreads];
  std::atomic<int> ready{0};
  for (int i = 0; i < kThreads; ++i)
    threads[i] = std::thread([&, i] {
      blocks[i] = sk::thread_scratch(4096);
      std::memset(blocks[i], i, 4096);
      for (++ready; ready < kThreads;) std::this_thread::yield();  // all are alive at once
      kept[i] = static_cast<char*>(blocks[i])[4095] == i;
    });
  for (std::thread& thread : threads) thread.join();
  ok = true;
  for (const bool k : kept) ok &= k;
  check(ok && std::set<void*>(blocks, blocks + kThreads).size() == kThreads, "thread_scratch: every thread has its own");
  check(sk::thread_scratch(std::numeric_limits<size_t>::max() / 2) == nullptr, "thread_scratch: null where there is no memory");
  check(sk::thread_scratch(64) != nullptr, "thread_scratch: of use after it");
}

void arithmetic() {
  constexpr int64_t kMax = std::numeric_limits<int64_t>::max(), kMin = std::numeric_limits<int64_t>::min();
  const struct {
    int64_t a, b;
    bool fits;
  } cases[] = {{0, 0, true},
               {0, kMax, true},
               {kMax, 0, true},
               {1, kMax, true},
               {kMax, 1, true},
               {kMax, 2, false},
               {2, kMax, false},
               {2, kMax / 2, true},
               {2, kMax / 2 + 1, false},
               {kMax / 2 + 1, 2, false},
               {int64_t{1} << 31, int64_t{1} << 31, true},
               {int64_t{1} << 31, int64_t{1} << 32, false},
               {3037000499, 3037000499, true},
               {3037000500, 3037000500, false},
               {kMax, kMax, false},
               {-1, 1, false},
               {1, -1, false},
               {-1, -1, false},
               {0, -1, false},
               {kMin, 1, false},
               {kMin, kMin, false}};
  for (const auto& c : cases) {
    int64_t product = -7;
    const bool fits = sk::checked_multiply(c.a, c.b, &product);
    check(fits == c.fits && product == (fits ? static_cast<int64_t>(static_cast<uint64_t>(c.a) * static_cast<uint64_t>(c.b)) : -7),
          "checked_multiply: " + std::to_string(c.a) + " * " + std::to_string(c.b) + (c.fits ? " fits" : " does not fit"));
  }
  check(sk::ceil_div(0, 8) == 0 && sk::ceil_div(1, 8) == 1 && sk::ceil_div(8, 8) == 1 && sk::ceil_div(9, 8) == 2, "ceil_div");
  check(sk::round_up(0, 8) == 0 && sk::round_up(1, 8) == 8 && sk::round_up(8, 8) == 8 && sk::round_up(9, 8) == 16, "round_up");
}

void threads_wanted() {
  check(sk::physical_parallelism() >= 1, "physical_parallelism: at least 1");
  const struct {
    const char* text;
    int threads;
  } cases[] = {{"1", 1},  {"3", 3}, {"1024", 1024}, {"1025", 0}, {"0", 0},
               {"-2", 0}, {"", 0},  {"two", 0},     {"2x", 0},   {"99999999999999999999", 0}};
  for (const auto& c : cases) {
    setenv("SK_NUM_THREADS", c.text, 1);
    check(sk::threads_from_environment() == c.threads,
          std::string("threads_from_environment: '") + c.text + "' is " + std::to_string(c.threads));
  }
  unsetenv("SK_NUM_THREADS");
  check(sk::threads_from_environment() == 0, "threads_from_environment: 0 where it is not set");
}

void status() {
  using sk::Code;
  check(sk::Status().ok() && sk::Status().code() == Code::kOk, "Status: ok by default");
  const sk::Status bad(Code::kShape, "why");
  check(!bad.ok() && bad.code() == Code::kShape && bad.message() == "why", "Status: code and message");
  std::set<std::string> names;
  for (Code code : {Code::kOk, Code::kShape, Code::kSparsity, Code::kPattern, Code::kIsa, Code::kMemory, Code::kAborted, Code::kDisposed})
    names.insert(sk::code_name(code));
  check(names.size() == 8 && names.count("ERR_SK_INTERNAL") == 0, "code_name: one name for each code");
}

}  // namespace

void core_suite() {
  aligned_buffer();
  scratch();
  arithmetic();
  threads_wanted();
  status();
}

}  // namespace sk_test
