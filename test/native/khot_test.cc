// khot: every row beside guard pages, against a float64 product; lists that are none.
#include "../../native/khot/khot.h"

#include <memory>
#include <vector>

#include "../../native/core/parallel.h"
#include "guarded.h"
#include "harness.h"
#include "oracle.h"

namespace sk_test {
namespace {

std::string multiply(Random& random, const char* isa, sk::DType values, std::string* kernel) {
  const int64_t tokens = random.below(5), in = 1 + random.below(100), out = 1 + random.below(random.below(3) ? 70 : 1100);
  const Edge edge = random.below(2) ? Edge::kEnd : Edge::kStart;
  const std::vector<float> weight = random_dense(random, out * in, true), bias = random_dense(random, out, true);
  std::shared_ptr<const sk::KHotPlan> plan;
  {
    const Guarded<float> guarded_weight(weight, edge), guarded_bias(bias, edge);
    sk::KHotOptions o;
    o.weight = {guarded_weight.data(), sk::DType::kFloat32, out, in};
    o.values = values;
    o.bias = guarded_bias.data();
    o.isa = isa;
    if (const sk::Status status = sk::KHotPlan::create(o, &plan); !status.ok()) return status.message();
  }
  *kernel = plan->kernel().name;
  std::vector<int32_t> offsets = {0}, inputs;
  std::vector<float> numbers, x(static_cast<size_t>(tokens * in));
  std::vector<double> y;
  for (int64_t t = 0; t < tokens; ++t) {
    for (int64_t i = 0; i < in; ++i) {
      if (random.below(3)) continue;
      inputs.push_back(static_cast<int32_t>(i));
      numbers.push_back(static_cast<float>(1 + random.below(9)));
      x[static_cast<size_t>(t * in + i)] = numbers.back();
    }
    offsets.push_back(static_cast<int32_t>(inputs.size()));
    for (int64_t o = 0; o < out; ++o) {
      double sum = bias[static_cast<size_t>(o)];
      for (int64_t i = 0; i < in; ++i)
        sum += static_cast<double>(weight[static_cast<size_t>(o * in + i)]) * x[static_cast<size_t>(t * in + i)];
      y.push_back(sum);
    }
  }
  const Guarded<int32_t> guarded_offsets(offsets, edge), guarded_inputs(inputs, edge);
  const Guarded<float> guarded_numbers(numbers, edge), guarded_x(x, edge), of_lists(y.size(), edge), of_zeros(y.size(), edge);
  const sk::KHotLists lists = {tokens, guarded_offsets.data(), guarded_inputs.data(), guarded_numbers.data(),
                               static_cast<int64_t>(inputs.size())};
  if (const sk::Status status = plan->run(lists, {of_lists.data()}, nullptr); !status.ok()) return status.message();
  if (const sk::Status status = plan->run(guarded_x.data(), sk::DType::kFloat32, tokens, {of_zeros.data()}, nullptr); !status.ok())
    return status.message();
  if (!of_lists.slack_untouched() || !of_zeros.slack_untouched()) return "run() wrote beside y";
  if (first_difference(of_lists.data(), y, 0) >= 0) return "y of lists differs";
  return first_difference(of_zeros.data(), y, 0) < 0 ? "" : "y of x with zeros differs";
}

void no_lists() {
  const float weight[] = {1, 2, 3, 4}, one[] = {1, 1};
  std::shared_ptr<const sk::KHotPlan> plan;
  sk::KHotOptions o;
  o.weight = {weight, sk::DType::kFloat32, 2, 2};
  check(sk::KHotPlan::create(o, &plan).ok(), "khot: a plan");
  const auto refused = [&](std::vector<int32_t> offsets, std::vector<int32_t> inputs) {
    float y[2] = {-7, -7};
    const sk::Status status = plan->run(
        {static_cast<int64_t>(offsets.size()) - 1, offsets.data(), inputs.data(), one, static_cast<int64_t>(inputs.size())}, {y}, nullptr);
    return status.code() == sk::Code::kLists && y[0] == -7 && y[1] == -7;
  };
  check(refused({0, 1}, {2}) && refused({0, 2}, {0, -1}), "khot: inputs that are none are refused before anything is written");
  check(refused({1, 0}, {0}) && refused({0, 2}, {0}) && refused({-1, 1}, {0}), "khot: so are offsets outside the lists");
}

}  // namespace

void khot_suite() {
  sk::ThreadPool& pool = sk::ThreadPool::instance();
  pool.retain();
  pool.set_threads(2);
  no_lists();
  Random random{31};
  for (const sk::KernelRow& row : sk::khot_kernels()) {
    if (!row.supported) {
      std::printf("skip row %s: this machine lacks %s\n", row.name, row.isa);
      continue;
    }
    const std::string type = row.dtype;
    const sk::DType values = type == "float16" ? sk::DType::kFloat16 : type == "bfloat16" ? sk::DType::kBFloat16 : sk::DType::kFloat32;
    std::string problem, kernel;
    for (int round = 0; round < 60 && problem.empty(); ++round) {
      at("khot %s, round %d", row.name, round);
      problem = multiply(random, row.isa, values, &kernel);
    }
    check(problem.empty() && kernel == row.name, std::string(row.name) + ": " + (problem.empty() ? kernel : problem));
  }
  pool.set_threads(1);
  pool.release();
}

}  // namespace sk_test
