// The two ceilings of this machine: how fast it multiplies and adds float32, and how fast it reads memory.
//
//   sk_roofline <threads> <sweep bytes> <seconds>  ->  {"isa":"avx2","threads":2,"peakGflops":198.4,"bandwidthGBs":30.1}
//   sk_roofline <threads> <sweep bytes>            ->  for each line of stdin a sweep, then a line of stdout
//
// Both ceilings are the best of many short repetitions: an interruption can only lower a figure, so the best is the nearest to
// the ceiling. Sweeps on demand are for whoever takes times in turn with something else. The instruction set is chosen when the
// program runs, hence target attributes here instead of compiler flags.

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <thread>
#include <vector>

#if defined(__x86_64__)
#include <immintrin.h>
#endif
#if defined(__linux__)
#include <sys/mman.h>
#endif

namespace {

// A multiply-add takes 4 or 5 cycles and two start per cycle: at least 10 independent ones must be in flight. 12 chains
// and their two operands still fit in the 16 registers of AVX2.
// Each starts from another value, or the compiler sees twelve times the same chain and keeps one.
constexpr int kChains = 12;
constexpr long kSteps = 1 << 20;

// Several streams per thread, each with its own accumulator: one stream alone waits for its own page walks and prefetcher.
constexpr int kStreams = 4;
constexpr size_t kLine = 64;

struct Isa {
  const char* name;
  int lanes;
  float (*multiply_add)();
  // Reads kStreams consecutive parts of `stride` bytes each, side by side.
  uint64_t (*read)(const char* from, size_t stride);
};

float multiply_add_scalar() {
  float acc[kChains], x = 0.5f, y = 1.0f;
#pragma GCC unroll 12
  for (int c = 0; c < kChains; ++c) acc[c] = static_cast<float>(c);
  for (long step = 0; step < kSteps; ++step) {
#pragma GCC unroll 12
    for (int c = 0; c < kChains; ++c) acc[c] = acc[c] * x + y;
  }
  float sum = 0;
  for (float a : acc) sum += a;
  return sum;
}

uint64_t read_scalar(const char* from, size_t stride) {
  uint64_t acc[kStreams] = {};
  for (size_t at = 0; at < stride; at += sizeof(uint64_t)) {
#pragma GCC unroll 4
    for (int s = 0; s < kStreams; ++s) acc[s] |= *reinterpret_cast<const uint64_t*>(from + s * stride + at);
  }
  return acc[0] | acc[1] | acc[2] | acc[3];
}

#if defined(__x86_64__)

__attribute__((target("avx2,fma"))) float multiply_add_avx2() {
  __m256 acc[kChains], x = _mm256_set1_ps(0.5f), y = _mm256_set1_ps(1.0f);
#pragma GCC unroll 12
  for (int c = 0; c < kChains; ++c) acc[c] = _mm256_set1_ps(static_cast<float>(c));
  for (long step = 0; step < kSteps; ++step) {
#pragma GCC unroll 12
    for (int c = 0; c < kChains; ++c) acc[c] = _mm256_fmadd_ps(acc[c], x, y);
  }
#pragma GCC unroll 12
  for (int c = 1; c < kChains; ++c) acc[0] = _mm256_add_ps(acc[0], acc[c]);
  return acc[0][0];
}

__attribute__((target("avx2"))) uint64_t read_avx2(const char* from, size_t stride) {
  __m256i acc[2 * kStreams];
#pragma GCC unroll 8
  for (int s = 0; s < 2 * kStreams; ++s) acc[s] = _mm256_setzero_si256();
  for (size_t at = 0; at < stride; at += kLine) {
#pragma GCC unroll 8
    for (int s = 0; s < 2 * kStreams; ++s) {
      const char* half = from + (s / 2) * stride + at + (s % 2) * (kLine / 2);
      acc[s] = _mm256_or_si256(acc[s], _mm256_load_si256(reinterpret_cast<const __m256i*>(half)));
    }
  }
#pragma GCC unroll 8
  for (int s = 1; s < 2 * kStreams; ++s) acc[0] = _mm256_or_si256(acc[0], acc[s]);
  return static_cast<uint64_t>(acc[0][0]);
}

__attribute__((target("avx512f"))) float multiply_add_avx512() {
  __m512 acc[kChains], x = _mm512_set1_ps(0.5f), y = _mm512_set1_ps(1.0f);
#pragma GCC unroll 12
  for (int c = 0; c < kChains; ++c) acc[c] = _mm512_set1_ps(static_cast<float>(c));
  for (long step = 0; step < kSteps; ++step) {
#pragma GCC unroll 12
    for (int c = 0; c < kChains; ++c) acc[c] = _mm512_fmadd_ps(acc[c], x, y);
  }
#pragma GCC unroll 12
  for (int c = 1; c < kChains; ++c) acc[0] = _mm512_add_ps(acc[0], acc[c]);
  return acc[0][0];
}

__attribute__((target("avx512f"))) uint64_t read_avx512(const char* from, size_t stride) {
  __m512i acc[kStreams];
#pragma GCC unroll 4
  for (int s = 0; s < kStreams; ++s) acc[s] = _mm512_setzero_si512();
  for (size_t at = 0; at < stride; at += kLine) {
#pragma GCC unroll 4
    for (int s = 0; s < kStreams; ++s) acc[s] = _mm512_or_si512(acc[s], _mm512_load_si512(from + s * stride + at));
  }
#pragma GCC unroll 4
  for (int s = 1; s < kStreams; ++s) acc[0] = _mm512_or_si512(acc[0], acc[s]);
  return static_cast<uint64_t>(acc[0][0]);
}

#endif

Isa best_isa() {
#if defined(__x86_64__)
  if (__builtin_cpu_supports("avx512f")) return {"avx512", 16, multiply_add_avx512, read_avx512};
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) return {"avx2", 8, multiply_add_avx2, read_avx2};
#endif
  return {"scalar", 1, multiply_add_scalar, read_scalar};
}

// Seconds from the common start of work(0) ... work(threads - 1) to the end of the last.
template <typename Work>
double run_together(int threads, Work work) {
  std::atomic<int> ready{0};
  std::atomic<bool> go{false};
  std::vector<std::thread> others;
  for (int t = 1; t < threads; ++t) {
    others.emplace_back([&, t] {
      ++ready;
      while (!go) {
      }
      work(t);
    });
  }
  while (ready < threads - 1) std::this_thread::yield();
  const auto start = std::chrono::steady_clock::now();
  go = true;
  work(0);
  for (auto& other : others) other.join();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

template <typename Work>
double least_seconds(int threads, double budget, Work work) {
  double least = run_together(threads, work);
  for (double spent = least; spent < budget;) {
    const double once = run_together(threads, work);
    spent += once;
    if (once < least) least = once;
  }
  return least;
}

double peak_gflops(const Isa& isa, int threads, double budget) {
  std::vector<float> sums(threads);  // kept, so that the compiler must compute them
  const double seconds = least_seconds(threads, budget, [&](int t) { sums[t] = isa.multiply_add(); });
  if (sums[0] == 0) std::fputs("unreachable\n", stderr);
  return 2.0 * threads * kChains * isa.lanes * kSteps / seconds / 1e9;
}

// Memory that threads read, each its own part.
class Sweep {
 public:
  Sweep(const Isa& isa, int threads, size_t bytes)
      : isa_(isa), threads_(threads), stride_(bytes / (threads * kStreams) / kLine * kLine), sums_(threads) {
    const size_t total = (this->bytes() + kHugePage - 1) / kHugePage * kHugePage;
    memory_ = static_cast<char*>(std::aligned_alloc(kHugePage, total));
    if (memory_ == nullptr) {
      std::fprintf(stderr, "no memory for %zu bytes\n", total);
      std::exit(1);
    }
#if defined(__linux__)
    madvise(memory_, total, MADV_HUGEPAGE);  // the ceiling should not be that of the page table
#endif
    run_together(threads, [&](int t) { std::memset(memory_ + t * part(), 1, part()); });  // first touch: pages near their reader
  }
  ~Sweep() { std::free(memory_); }
  Sweep(const Sweep&) = delete;

  size_t bytes() const { return part() * threads_; }
  void read(int t) { sums_[t] = isa_.read(memory_ + t * part(), stride_); }
  uint64_t sum() const { return sums_[0]; }  // to be looked at, so that the compiler must read

 private:
  static constexpr size_t kHugePage = size_t{2} << 20;
  size_t part() const { return stride_ * kStreams; }

  const Isa& isa_;
  const int threads_;
  const size_t stride_;
  std::vector<uint64_t> sums_;
  char* memory_;
};

double bandwidth_gbs(const Isa& isa, int threads, size_t bytes, double budget) {
  Sweep sweep(isa, threads, bytes);
  const double seconds = least_seconds(threads, budget, [&](int t) { sweep.read(t); });
  if (sweep.sum() == 0) std::fputs("unreachable\n", stderr);
  return static_cast<double>(sweep.bytes()) / seconds / 1e9;
}

void sweep_on_demand(const Isa& isa, int threads, size_t bytes) {
  Sweep sweep(isa, threads, bytes);
  for (int c = std::getchar(); c != EOF; c = std::getchar()) {
    if (c != '\n') continue;
    run_together(threads, [&](int t) { sweep.read(t); });
    std::puts(sweep.sum() == 0 ? "unreachable" : "");
    std::fflush(stdout);
  }
}

}  // namespace

int main(int argc, char** argv) {
  const int threads = argc > 2 ? std::atoi(argv[1]) : 0;
  const long long bytes = argc > 2 ? std::atoll(argv[2]) : 0;
  const double seconds = argc == 4 ? std::atof(argv[3]) : 0;
  if (argc > 4 || threads < 1 || bytes < (1 << 20) || (argc == 4 && seconds <= 0)) {
    std::fputs("usage: sk_roofline <threads> <sweep bytes> [<seconds>]\n", stderr);
    return 2;
  }
  const Isa isa = best_isa();
  if (argc == 3) {
    sweep_on_demand(isa, threads, static_cast<size_t>(bytes));
    return 0;
  }
  const double peak = peak_gflops(isa, threads, seconds / 2);
  const double bandwidth = bandwidth_gbs(isa, threads, static_cast<size_t>(bytes), seconds / 2);
  std::printf("{\"isa\":\"%s\",\"threads\":%d,\"peakGflops\":%.1f,\"bandwidthGBs\":%.1f}\n", isa.name, threads, peak, bandwidth);
  return 0;
}
