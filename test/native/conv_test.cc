// Maps and mapmm, each operand directly beside pages that trap. Outputs are compared with a float64 sum over the pairs.
#include <map>
#include <memory>
#include <vector>

#include "../../native/core/parallel.h"
#include "../../native/mapmm/mapmm.h"
#include "../../native/mapouter/mapouter.h"
#include "harness.h"
#include "map_problem.h"

namespace sk_test {
namespace {

// Runs a random layer over the map and over its swapped twin, with the weight transposed.
std::string multiply(Random& random, const sk::Map& map, Edge edge, bool depthwise, const char* isa, bool transposed, std::string* kernel) {
  const bool tiles = map.view().tiles != nullptr;
  const int64_t splits = depthwise ? 2 + random.below(70) : tiles ? 1 : 1 + random.below(3);
  const int64_t in = depthwise ? 1 : 1 + random.below(random.below(4) ? tiles ? 9 : 40 : tiles ? 300 : 600);
  const int64_t out = depthwise ? 1 : 1 + random.below(random.below(4) ? 70 : 300);
  const int64_t groups = map.groups();
  const bool relu = random.below(2);
  const std::vector<float> weight = random_dense(random, splits * out * groups * in, true), bias = random_dense(random, splits * out, true);
  const std::vector<float> x = random_dense(random, map.in_rows() * splits * in, true);
  std::vector<double> y(static_cast<size_t>(map.out_rows() * splits * out));
  for (size_t i = 0; i < y.size(); ++i) y[i] = bias[i % static_cast<size_t>(splits * out)];
  for (int64_t g = 0; g < groups; ++g)
    for (int64_t p = map.starts()[g]; p < map.starts()[g + 1]; ++p)
      for (int64_t s = 0; s < splits; ++s)
        for (int64_t o = 0; o < out; ++o)
          for (int64_t i = 0; i < in; ++i) {
            const int64_t w = transposed ? ((s * in + i) * groups + g) * out + o : ((s * out + o) * groups + g) * in + i;
            y[static_cast<size_t>((map.out()[p] * splits + s) * out + o)] +=
                static_cast<double>(weight[static_cast<size_t>(w)]) * x[static_cast<size_t>((map.in()[p] * splits + s) * in + i)];
          }
  if (relu)
    for (double& v : y) v = v < 0 ? 0 : v;

  std::shared_ptr<const sk::MapmmPlan> plan;
  {
    const Guarded<float> guarded_weight(weight, edge), guarded_bias(bias, edge);
    sk::MapmmOptions o;
    o.weight = guarded_weight.data();
    o.bias = guarded_bias.data();
    o.transposed = transposed;
    o.groups = groups, o.in = in, o.out = out, o.splits = splits;
    o.activation = relu ? sk::MapActivation::kRelu : sk::MapActivation::kNone;
    o.isa = isa;
    if (const sk::Status status = sk::MapmmPlan::create(o, &plan); !status.ok()) return status.message();
  }
  *kernel = std::string(plan->kernel().name) + (plan->gathers_tiles(map.view()) ? ", tiles" : "");
  const Guarded<float> guarded_x(x, edge), guarded_y(y.size(), edge);
  if (const sk::Status status = plan->run(map.view(), guarded_x.data(), guarded_y.data(), nullptr); !status.ok()) return status.message();
  if (!guarded_y.slack_untouched()) return "run() wrote beside y";
  if (!same_bits(guarded_x.data(), x.data(), static_cast<int64_t>(x.size()))) return "run() wrote to x";
  const int64_t i = first_difference(guarded_y.data(), y, 0);
  return i < 0 ? "" : "y[" + std::to_string(i) + "] differs";
}

// The weight gradient of a random layer, against a sum over the pairs.
std::string outer(Random& random, const sk::Map& map, Edge edge, const char* isa) {
  const int64_t splits = 1 + random.below(3), in = 1 + random.below(130), out = 1 + random.below(150), groups = map.groups();
  const std::vector<float> x = random_dense(random, map.in_rows() * splits * in, true),
                           dy = random_dense(random, map.out_rows() * splits * out, true);
  std::vector<double> dw(static_cast<size_t>(splits * out * groups * in));
  for (int64_t g = 0; g < groups; ++g)
    for (int64_t p = map.starts()[g]; p < map.starts()[g + 1]; ++p)
      for (int64_t s = 0; s < splits; ++s)
        for (int64_t o = 0; o < out; ++o)
          for (int64_t i = 0; i < in; ++i)
            dw[static_cast<size_t>(((s * out + o) * groups + g) * in + i)] +=
                static_cast<double>(dy[static_cast<size_t>((map.out()[p] * splits + s) * out + o)]) *
                x[static_cast<size_t>((map.in()[p] * splits + s) * in + i)];
  const Guarded<float> guarded_x(x, edge), guarded_dy(dy, edge), guarded_dw(dw.size(), edge);
  sk::MapouterOptions o;
  o.in = in, o.out = out, o.splits = splits;
  o.x = guarded_x.data(), o.dy = guarded_dy.data(), o.dw = guarded_dw.data();
  o.isa = isa;
  if (const sk::Status status = sk::map_outer(map.view(), o, nullptr); !status.ok()) return status.message();
  if (!guarded_dw.slack_untouched()) return "map_outer() wrote beside dw";
  return first_difference(guarded_dw.data(), dw, 0) < 0 ? "" : "dw differs";
}

}  // namespace

void conv_suite() {
  sk::ThreadPool& pool = sk::ThreadPool::instance();
  pool.retain();
  pool.set_threads(2);
  Random random(4);
  std::vector<const char*> isas;
  for (const sk::KernelRow& row : sk::mapmm_kernels())
    if (row.supported && std::string(row.pattern) == "dense") isas.push_back(row.isa);
  std::map<std::string, int> ran;
  std::string problem;
  for (int i = 0; i < 600 && problem.empty(); ++i) {
    at("problem %d", i);
    const Problem p = random_problem(random);
    const Pairs expected = expected_pairs(p);
    std::shared_ptr<const sk::Map> map;
    problem = build(p, expected, &map);
    if (!problem.empty()) break;
    if (i % 3) continue;  // products cost more
    const bool depthwise = random.below(3) == 0, transposed = random.below(2);
    const char* isa = isas[static_cast<size_t>(i / 3) % isas.size()];
    std::string kernel;
    problem = multiply(random, transposed ? *map->swapped() : *map, p.edge, depthwise, isa, transposed, &kernel);
    ++ran[kernel];
    if (problem.empty()) problem = outer(random, *map, p.edge, isa);
    if (problem.empty()) problem = reduce(random, *map, p.edge);
  }
  check(problem.empty(), problem.empty() ? "600 maps, and products, weight gradients and reductions over 200 of them"
                                         : std::string(current_case) + ": " + problem);
  for (const sk::KernelRow& row : sk::mapmm_kernels())
    for (const char* nest : {"", ", tiles"})
      if (row.supported) check(ran[row.name + std::string(nest)] > 0, std::string("row ") + row.name + nest + " was exercised");
  pool.set_threads(1);
  pool.release();
}

}  // namespace sk_test
