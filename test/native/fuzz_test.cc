// The fuzz target on made-up bytes: what a compiler without libFuzzer can do.
#include <vector>

#include "../../native/core/parallel.h"
#include "harness.h"
#include "oracle.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);

namespace sk_test {

void fuzz_suite() {
  constexpr int kRounds = 300;
  sk::ThreadPool& pool = sk::ThreadPool::instance();
  pool.retain();
  pool.set_threads(2);
  for (int round = 0; round < kRounds; ++round) {
    at("fuzz: round %d", round);
    Random random(static_cast<uint64_t>(round));
    std::vector<uint8_t> bytes(static_cast<size_t>(random.below(40000)));
    for (uint8_t& byte : bytes) byte = static_cast<uint8_t>(random.bits());
    LLVMFuzzerTestOneInput(bytes.data(), bytes.size());
  }
  check(true, "fuzz_spmm: " + std::to_string(kRounds) + " made-up inputs");
  pool.set_threads(1);
  pool.release();
}

}  // namespace sk_test
