// libFuzzer target: arbitrary bytes choose a pattern, a shape, an ISA, a weight and inputs. A weight that keeps to the pattern must give
// the sums of the oracle and come back unchanged; any other must be refused. fuzz_test.cc runs it on made-up bytes with every compiler.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <iterator>
#include <memory>
#include <string>

#include "../../native/spmm/spmm.h"
#include "guarded.h"
#include "oracle.h"

namespace {

void require(bool ok, const char* what) {
  if (ok) return;
  std::fprintf(stderr, "fuzz_spmm: %s\n", what);
  std::abort();
}

// Bytes in order, then zeros.
struct Bytes {
  const uint8_t* data;
  size_t size;
  uint8_t next() { return size == 0 ? 0 : (--size, *data++); }
  int64_t below(int64_t end) { return (next() << 8 | next()) % end; }
};

// Small integers, most of them 0, or the bits of any float.
std::vector<float> values(Bytes& bytes, int64_t count, bool any_float) {
  std::vector<float> v(static_cast<size_t>(count));
  for (float& x : v) {
    uint32_t bits = bytes.next();
    if (any_float) {
      bits = bits << 24 | bytes.next() << 16 | bits << 8 | bytes.next();
      std::memcpy(&x, &bits, 4);
    } else {
      x = bits % 2 ? static_cast<float>(static_cast<int>(bits) - 128) : 0;
    }
  }
  return v;
}

// Non-zeros of the fullest group.
int fullest(const std::vector<float>& weight, int64_t out, int64_t in, int m) {
  int most = 0;
  for (int64_t row = 0; row < out; ++row)
    for (int64_t first = 0; first < in; first += m) {
      const float* group = weight.data() + row * in + first;
      most =
          std::max(most, static_cast<int>(std::count_if(group, group + std::min<int64_t>(m, in - first), [](float w) { return w != 0; })));
    }
  return most;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace sk_test;
  Bytes bytes = {data, size};
  constexpr int kM[] = {4, 8, 16, 32};
  constexpr const char* kIsas[] = {"", "scalar", "avx2", "avx512", "scalar16", "avx2vnni", "avx512vnni"};
  const uint8_t flags = bytes.next();
  const bool any_float = flags & 1, keep = flags & 2, relu = flags & 4;
  sk::SpmmOptions options;
  options.m = kM[bytes.next() % 4];
  options.n = 1 + bytes.next() % (options.m - 1);
  const bool unstructured = flags & 32;
  options.isa = kIsas[bytes.next() % 7];
  options.threads = bytes.next() % 4;
  options.tokens = bytes.next() * 40;
  options.activation = relu ? sk::Activation::kRelu : sk::Activation::kNone;
  const int64_t in = 1 + bytes.below(300), out = 1 + bytes.below(150), tokens = bytes.below(140);
  const Edge edge = flags & 8 ? Edge::kEnd : Edge::kStart;
  std::vector<float> weight = values(bytes, out * in, any_float);
  if (keep)  // thin each group out until it keeps to the pattern
    for (int64_t row = 0; row < out; ++row)
      for (int64_t i = 0, kept = 0; i < in; ++i) {
        float& w = weight[static_cast<size_t>(row * in + i)];
        kept = (i % options.m ? kept : 0) + (w != 0);
        if (kept > options.n) w = 0;
      }
  const std::vector<float> bias = flags & 16 ? values(bytes, out, any_float) : std::vector<float>();
  const std::vector<float> x = values(bytes, tokens * in, any_float);

  const Guarded<float> guarded_weight(weight, edge), guarded_bias(bias, edge), guarded_x(x, edge);
  const Guarded<float> y(static_cast<size_t>(tokens * out), edge), dense(weight.size(), edge);
  options.weight = {guarded_weight.data(), sk::DType::kFloat32, out, in};
  options.bias = bias.empty() ? nullptr : guarded_bias.data();
  if (unstructured) options.n = options.m = 0;
  std::shared_ptr<const sk::SpmmPlan> plan;
  const sk::Status status = sk::SpmmPlan::create(options, &plan);
  const bool fits = unstructured || fullest(weight, out, in, options.m) <= options.n;
  if (status.code() == sk::Code::kIsa) return 0;  // this machine lacks it
  require(status.code() == (fits ? sk::Code::kOk : sk::Code::kSparsity), "create() and the oracle disagree on the pattern");
  if (!status.ok()) return 0;

  require(plan->run(guarded_x.data(), sk::DType::kFloat32, tokens, y.data(), sk::DType::kFloat32, nullptr).ok(), "run() failed");
  require(y.slack_untouched(), "run() wrote beside y");
  plan->to_dense(dense.data());
  require(dense.slack_untouched(), "to_dense() wrote beside its output");
  for (size_t i = 0; i < weight.size(); ++i)  // a zero may lose its sign
    require(same_bits(dense.data() + i, &weight[i], 1) || (weight[i] == 0 && dense.data()[i] == 0), "to_dense() differs from the weight");
  if (!any_float) require(first_difference(y.data(), oracle(weight, bias, x, tokens, in, out, relu), 0) == -1, "y is wrong");
  return 0;
}
