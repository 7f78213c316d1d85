// Every kernel row over shapes chosen against its tiles, each operand directly beside pages that trap: a read or write outside its array
// ends the process. Small integers are compared exactly, reals within a bound of the rounding errors.
#include <cmath>
#include <map>
#include <memory>

#include "../../native/core/parallel.h"
#include "../../native/simd/half.h"
#include "../../native/spmm/spmm.h"
#include "guarded.h"
#include "harness.h"
#include "oracle.h"

namespace sk_test {
namespace {

constexpr Pattern kPatterns[] = {{2, 4},  {1, 4},   {3, 4},  {1, 8},   {2, 8}, {4, 8}, {5, 8},    {7, 8},    {1, 16},
                                 {8, 16}, {15, 16}, {2, 32}, {31, 32}, {0, 0}, {1, 2}, {2, 4, 4}, {2, 4, 8}, {5, 8, 16}};
constexpr int64_t kTokens[] = {0, 1, 3, 4, 5, 8, 9, 15, 16, 17, 63, 64, 65, 130};
constexpr int64_t kIn[] = {1, 3, 4, 5, 31, 32, 33, 64, 100, 129};
constexpr int64_t kOut[] = {1, 7, 8, 9, 31, 32, 33, 65, 300};

struct Case {
  int64_t tokens, in, out;
  bool integers, relu, with_bias;
  int64_t expected_tokens;  // what the plan is told: it moves the borders of the row blocks
  Edge edge;
  std::vector<float> weight, bias, x;
  std::vector<double> y;
};

// Every pair of tokens and inputs, of tokens and outputs and of inputs and outputs.
std::vector<Case> cases(Pattern p, int shift) {
  std::vector<Case> all;
  Random random(static_cast<uint64_t>(p.n * 100 + p.m));
  for (size_t i = 0; i < std::size(kTokens); ++i)
    for (size_t j = 0; j < std::size(kIn); ++j) {
      const size_t o = (i + j + static_cast<size_t>(shift)) % std::size(kOut);
      for (const bool integers : {true, false}) {
        Case c;
        c.tokens = kTokens[i], c.in = kIn[j], c.out = kOut[o];
        c.integers = integers;
        c.relu = random.below(3) == 0, c.with_bias = random.below(3) != 0;
        c.expected_tokens = random.below(2) ? 4096 : 1;
        c.edge = (i + j + integers) % 2 ? Edge::kEnd : Edge::kStart;
        c.weight = random_sparse(random, c.out, c.in, p, integers);
        if (c.with_bias) c.bias = random_dense(random, c.out, integers);
        c.x = random_dense(random, c.tokens * c.in, integers);
        c.y = oracle(c.weight, c.bias, c.x, c.tokens, c.in, c.out, c.relu);
        all.push_back(std::move(c));
      }
    }
  return all;
}

// Creates, runs and unpacks; says what went wrong, or nothing.
std::string run(const Case& c, Pattern p, const std::string& isa, std::string* kernel) {
  std::shared_ptr<const sk::SpmmPlan> plan;
  {
    const Guarded<float> weight(c.weight, c.edge), bias(c.bias, c.edge);
    sk::SpmmOptions options;
    options.weight = {weight.data(), sk::DType::kFloat32, c.out, c.in};
    options.bias = c.with_bias ? bias.data() : nullptr;
    options.n = p.n, options.m = p.m, options.rows = p.rows;
    options.activation = c.relu ? sk::Activation::kRelu : sk::Activation::kNone;
    options.isa = isa;
    options.tokens = c.expected_tokens;
    *kernel = "none";
    if (const sk::Status status = sk::SpmmPlan::create(options, &plan); !status.ok())
      return status.code() == sk::Code::kIsa ? "" : status.message();  // scalar16 lacks some
    if (!weight.slack_untouched() || !bias.slack_untouched()) return "create() wrote beside its inputs";
  }  // a plan owns what it needs: weight and bias are gone from here on
  *kernel = plan->kernel().name;

  const Guarded<float> x(c.x, c.edge), y(c.y.size(), c.edge);
  if (const sk::Status status = plan->run(x.data(), sk::DType::kFloat32, c.tokens, y.data(), sk::DType::kFloat32, nullptr); !status.ok())
    return status.message();
  if (!y.slack_untouched()) return "run() wrote beside y";
  if (!same_bits(x.data(), c.x.data(), c.tokens * c.in)) return "run() wrote to x";
  if (const int64_t i = first_difference(y.data(), c.y, tolerance(c.in, c.integers)); i >= 0)
    return "y[" + std::to_string(i / c.out) + ", " + std::to_string(i % c.out) + "] is " + std::to_string(y.data()[i]) + ", expected " +
           std::to_string(c.y[static_cast<size_t>(i)]);

  const Guarded<float> dense(c.weight.size(), c.edge);
  plan->to_dense(dense.data());
  if (!dense.slack_untouched()) return "to_dense() wrote beside its output";
  if (!same_bits(dense.data(), c.weight.data(), c.out * c.in)) return "to_dense() differs from the weight";
  return "";
}

int8_t cast(float x, int8_t*) { return static_cast<int8_t>(x); }
template <class H>
H cast(float x, H*) {
  H h;
  sk::narrow(x, &h);
  return h;
}
template <class T, class F>
std::vector<T> cast_all(const std::vector<F>& from) {
  std::vector<T> to;
  for (const F x : from) to.push_back(cast(static_cast<float>(x), static_cast<T*>(nullptr)));
  return to;
}

// As run(), for integers, with weights stored as T and x and y of type X: every number is exact until y is rounded.
template <class T, class X>
std::string run_narrow(const Case& c, Pattern p, const std::string& isa, sk::DType values, sk::DType x_type, std::string* kernel,
                       bool int8_activations = false) {
  const Guarded<T> weight(cast_all<T>(c.weight), c.edge);
  const Guarded<float> bias(c.bias, c.edge), scale(std::vector<float>(static_cast<size_t>(c.out), 1), c.edge);
  sk::SpmmOptions options;
  options.weight = {weight.data(), values, c.out, c.in};
  options.values = values;
  options.int8_activations = int8_activations;
  options.scale = values == sk::DType::kInt8 ? scale.data() : nullptr;
  options.bias = c.with_bias ? bias.data() : nullptr;
  options.n = p.n, options.m = p.m, options.rows = p.rows;
  options.activation = c.relu ? sk::Activation::kRelu : sk::Activation::kNone;
  options.isa = isa;
  std::shared_ptr<const sk::SpmmPlan> plan;
  const sk::Status created = sk::SpmmPlan::create(options, &plan);
  *kernel = created.ok() ? plan->kernel().name : "none";
  if (!created.ok()) return created.code() == sk::Code::kIsa ? "" : created.message();  // scalar16 lacks some
  const Guarded<X> x(cast_all<X>(c.x), c.edge), y(c.y.size(), c.edge);
  if (const sk::Status status = plan->run(x.data(), x_type, c.tokens, y.data(), x_type, nullptr); !status.ok()) return status.message();
  if (!y.slack_untouched()) return "run() wrote beside y";
  const std::vector<X> expected = cast_all<X>(c.y);
  for (size_t i = 0; i < expected.size(); ++i)
    if (y.data()[i].bits != expected[i].bits) return "y[" + std::to_string(i) + "] is not the rounded sum";
  return "";
}

std::string run_narrow(const Case& c, Pattern p, const std::string& isa, int type, std::string* kernel) {
  const bool bhalf = c.tokens % 2 != 0;
  const sk::DType values = static_cast<sk::DType>(type), x_type = bhalf ? sk::DType::kBFloat16 : sk::DType::kFloat16;
  if (type == 1)
    return bhalf ? run_narrow<sk::Half, sk::BHalf>(c, p, isa, values, x_type, kernel)
                 : run_narrow<sk::Half, sk::Half>(c, p, isa, values, x_type, kernel);
  if (type == 2)
    return bhalf ? run_narrow<sk::BHalf, sk::BHalf>(c, p, isa, values, x_type, kernel)
                 : run_narrow<sk::BHalf, sk::Half>(c, p, isa, values, x_type, kernel);
  return bhalf ? run_narrow<int8_t, sk::BHalf>(c, p, isa, values, x_type, kernel)
               : run_narrow<int8_t, sk::Half>(c, p, isa, values, x_type, kernel);
}

// W8A8: integers of which the largest of each token is 127 are what they are quantised to.
std::string run_quantised(Case c, Pattern p, const std::string& isa, std::string* kernel) {
  for (int64_t t = 0; t < c.tokens; ++t) c.x[static_cast<size_t>(t * c.in + t % c.in)] = 127;
  c.y = oracle(c.weight, c.bias, c.x, c.tokens, c.in, c.out, c.relu);
  const auto each = c.tokens % 2 != 0 ? run_narrow<int8_t, sk::BHalf> : run_narrow<int8_t, sk::Half>;
  return each(c, p, isa, sk::DType::kInt8, c.tokens % 2 != 0 ? sk::DType::kBFloat16 : sk::DType::kFloat16, kernel, true);
}

// int4, of 2:4 or of groups of inputs kept or dropped: integers of -8 .. 7 with scales of 1 are what they are stored as. With int8
// activations the largest x of each group is 127.
std::string run_int4(Case c, Pattern p, const std::string& isa, bool int8_activations, std::string* kernel) {
  constexpr int64_t kGroups[] = {16, 32, 64, 128};
  const int64_t group = kGroups[static_cast<size_t>(c.in + c.tokens) % 4], per_row = (c.in + group - 1) / group;
  for (int64_t i = 0; i < c.out * c.in; ++i) {
    float& w = c.weight[static_cast<size_t>(i)];
    w = w == 8 || (p.m == 0 && (i / c.in + i % c.in / group) % 3 == 0) ? 0 : w;
  }
  for (int64_t i = 0; int8_activations && i < c.tokens * c.in; ++i)
    if (i % c.in % group == 0) c.x[static_cast<size_t>(i)] = i % 2 != 0 ? 127 : -127;
  c.y = oracle(c.weight, c.bias, c.x, c.tokens, c.in, c.out, c.relu);
  const Guarded<int8_t> weight(cast_all<int8_t>(c.weight), c.edge);
  const Guarded<float> bias(c.bias, c.edge), scale(std::vector<float>(static_cast<size_t>(c.out * per_row), 1), c.edge);
  sk::SpmmOptions options;
  options.weight = {weight.data(), sk::DType::kInt8, c.out, c.in};
  options.values = sk::DType::kInt4;
  options.scale = scale.data();
  options.group = group;
  options.zero_point = c.out % 2 != 0;
  options.int8_activations = int8_activations;
  options.bias = c.with_bias ? bias.data() : nullptr;
  options.n = p.n, options.m = p.m;
  options.activation = c.relu ? sk::Activation::kRelu : sk::Activation::kNone;
  options.isa = isa;
  std::shared_ptr<const sk::SpmmPlan> plan;
  const sk::Status created = sk::SpmmPlan::create(options, &plan);
  *kernel = created.ok() ? plan->kernel().name : "none";
  if (!created.ok()) return created.message();
  const Guarded<float> x(c.x, c.edge), y(c.y.size(), c.edge), dense(c.weight.size(), c.edge);
  const Guarded<float> scales(static_cast<size_t>(c.out * plan->scales_per_row()), c.edge);
  if (const sk::Status status = plan->run(x.data(), sk::DType::kFloat32, c.tokens, y.data(), sk::DType::kFloat32, nullptr); !status.ok())
    return status.message();
  if (!y.slack_untouched()) return "run() wrote beside y";
  if (first_difference(y.data(), c.y, 0) >= 0) return "y is wrong";
  plan->to_dense(dense.data());
  plan->scales(scales.data());
  if (!dense.slack_untouched() || !scales.slack_untouched()) return "to_dense() or scales() wrote beside its output";
  for (size_t i = 0; i < c.weight.size(); ++i)
    if (dense.data()[i] != c.weight[i]) return "to_dense() differs from the weight";
  return "";
}

void comparator() {
  const float nan = std::nanf(""), inf = INFINITY, y[] = {1, 2, 3};
  check(first_difference(y, {1, 2, 3}, 0) == -1, "comparator: equal values pass");
  check(first_difference(y, {1, 2, 3 + 1e-3}, 1e-2) == -1 && first_difference(y, {1, 2, 3 - 1e-1}, 1e-2) == 2,
        "comparator: the tolerance counts on both sides");
  const float broken[] = {1, nan, inf};
  check(first_difference(broken, {1, 2, 3}, 1e9) == 1, "comparator: NaN fails");
  check(first_difference(broken + 2, {3}, 1e9) == 0, "comparator: infinity fails");
  const float zeros[] = {0.0f, -0.0f};
  check(!same_bits(zeros, zeros + 1, 1), "comparator: -0 has other bits than 0");
}

}  // namespace

void edges_suite() {
  comparator();
  sk::ThreadPool& pool = sk::ThreadPool::instance();
  pool.retain();
  pool.set_threads(2);
  std::map<std::string, int> ran;  // cases, by kernel row
  int shift = 0;
  for (const Pattern p : kPatterns) {
    const std::vector<Case> all = cases(p, shift++);
    for (const char* isa : {"avx512vnni", "avx512", "avx2vnni", "avx2", "scalar", "scalar16"}) {
      bool supported = false;
      for (const sk::KernelRow& row : sk::spmm_kernels()) supported |= row.supported && std::string(isa) == row.isa;
      if (!supported) continue;
      std::string kernel = "none", name, problem;
      for (const Case& c : all) {
        at("%d:%d %s, tokens %d, in %d, out %d, %s, %s", p.n, p.m, isa, static_cast<int>(c.tokens), static_cast<int>(c.in),
           static_cast<int>(c.out), c.integers ? "integers" : "reals", c.edge == Edge::kEnd ? "before a guard page" : "after a guard page");
        problem = run(c, p, isa, &kernel);
        name = std::to_string(p.n) + ":" + std::to_string(p.m) + " on " + kernel;
        if (!problem.empty()) break;
        ++ran[kernel];
        for (int type = 1; type <= 3 && c.integers && problem.empty(); ++type) {
          problem = run_narrow(c, p, isa, type, &kernel);
          ++ran[kernel];
        }
        if (p.m != 0 && p.rows == 1 && c.integers && problem.empty()) {
          problem = run_quantised(c, p, isa, &kernel);
          ++ran[kernel];
        }
        for (const bool int8_activations : {false, true})
          if (((p.n == 2 && p.m == 4) || p.m == 0) && p.rows == 1 && c.integers && problem.empty()) {
            problem = run_int4(c, p, isa, int8_activations, &kernel);
            ++ran[kernel];
          }
        if (!problem.empty()) break;
      }
      check(problem.empty(),
            problem.empty() ? name + ", " + std::to_string(all.size()) + " runs" : name + ": " + current_case + ": " + problem);
    }
  }
  for (const sk::KernelRow& row : sk::spmm_kernels()) {
    const std::string name = row.name;
    if (!row.supported)
      std::printf("skip row %s: this machine lacks %s\n", name.c_str(), row.isa);
    else if (check(ran[name] > 0, "row " + name + " was exercised"))
      std::printf("row %s %d\n", name.c_str(), ran[name]);
  }
  pool.set_threads(1);
  pool.release();
}

}  // namespace sk_test
