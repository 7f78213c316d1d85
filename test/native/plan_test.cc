// What SpmmPlan promises beyond right sums: the same bits whatever the tokens and threads, relu, cancelling, reentrancy.
#include <atomic>
#include <cmath>
#include <thread>

#include "../../native/core/parallel.h"
#include "plan_layer.h"

namespace sk_test {
namespace {

// Rows [first, first + count) of the tokens.
std::vector<float> run(const Plan& plan, const std::vector<float>& x, int64_t first, int64_t count) {
  std::vector<float> y(static_cast<size_t>(count * plan->out()), NAN);
  if (!plan->run(x.data() + first * plan->in(), sk::DType::kFloat32, count, y.data(), sk::DType::kFloat32, nullptr).ok())
    check(false, "run()");
  return y;
}

std::vector<std::string> isas() {
  std::vector<std::string> names;
  for (const sk::KernelRow& row : sk::spmm_kernels())
    if (row.supported && (names.empty() || names.back() != row.isa)) names.push_back(row.isa);
  return names;
}

void same_bits_always(const std::string& isa) {
  sk::ThreadPool::instance().set_threads(3);
  for (const Pattern p : {Pattern{2, 4}, {3, 4}, {1, 8}, {5, 8}, {8, 16}, {31, 32}}) {
    const Layer layer(p, 150, 129, 130, false);
    const std::string name = isa + " " + std::to_string(p.n) + ":" + std::to_string(p.m);
    sk::SpmmOptions options = layer.options(isa);
    options.threads = 1;
    const Plan plan = plan_of(options);
    const std::vector<float> y = run(plan, layer.x, 0, layer.tokens);

    bool ok = true;
    for (const int threads : {2, 3, 0}) {
      options.threads = threads;
      options.tokens = threads == 2 ? 1 : 4096;  // other row blocks, too
      ok &= same_bits(run(plan_of(options), layer.x, 0, layer.tokens).data(), y.data(), layer.tokens * layer.out);
    }
    check(ok, name + ": the same bits for 1, 2 and 3 threads");

    ok = true;
    for (int64_t t = 0; t < layer.tokens; ++t) ok &= same_bits(run(plan, layer.x, t, 1).data(), y.data() + t * layer.out, layer.out);
    check(ok, name + ": a token alone has the bits that it has among 130");
    for (const int64_t count : {2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 33, 63, 64, 65, 96, 97, 129})
      ok &= same_bits(run(plan, layer.x, layer.tokens - count, count).data(), y.data() + (layer.tokens - count) * layer.out,
                      count * layer.out);
    check(ok, name + ": a token has the same bits in runs of any length");
  }
  sk::ThreadPool::instance().set_threads(2);
}

// A batch holds only one panel of so many inputs: a run of 130 tokens takes several.
void batches(const std::string& isa) {
  const Layer layer({2, 4}, 9, 40001, 130, true);
  const Plan plan = plan_of(layer.options(isa));
  const std::vector<float> y = run(plan, layer.x, 0, layer.tokens);
  check(first_difference(y.data(), oracle(layer.weight, layer.bias, layer.x, layer.tokens, layer.in, layer.out, false), 0) == -1,
        isa + ": runs of several batches");
}

// Aligned loads of AVX-512 trap elsewhere; an int8 unit of 16 inputs takes half a line.
void strips_begin_lines(const std::string& isa) {
  for (const sk::DType values : {sk::DType::kFloat32, sk::DType::kInt8, sk::DType::kInt4}) {
    const Layer layer({2, 4}, 16, 16, 1, true);
    sk::SpmmOptions options = layer.options(isa);
    options.values = values;
    if (values == sk::DType::kInt4) options.group = 16, options.n = 0, options.m = 0;
    options.int8_activations = values != sk::DType::kFloat32;
    const Plan plan = plan_of(options);
    bool ok = true;
    for (int64_t tokens = 1; tokens <= 9; ++tokens) {
      const sk::SpmmInput input = plan->input(tokens);
      ok &= input.floats % 16 == 0;
      for (const sk::SpmmInput::Strip& strip : input.strips) ok &= strip.x % 16 == 0 && strip.scale % 16 == 0;
    }
    check(ok, isa + ": strips of x and the accumulators behind them begin lines, of type " + std::to_string(static_cast<int>(values)));
  }
}

void signed_zeros(const std::string& isa) {
  Layer layer({2, 4}, 40, 64, 70, false);  // no padding along the inputs: it would add +0
  Random random(1);
  for (float& w : layer.weight) w = random.below(3) && w != 0 ? -0.0f : w;
  for (float& b : layer.bias) b = random.below(2) ? -0.0f : 0.0f;
  for (float& x : layer.x) x = random.below(3) ? -1.0f : -0.0f;
  for (size_t i = 0; i < 64 * 8; ++i) layer.weight[i] = 0;  // eight outputs are what +-0 + 0 * -1 + 0 * -1 .. gives
  const Plan plan = plan_of(layer.options(isa));
  const std::vector<float> y = run(plan, layer.x, 0, layer.tokens);
  bool ok = true;
  for (int64_t t = 0; t < layer.tokens; ++t) ok &= same_bits(run(plan, layer.x, t, 1).data(), y.data() + t * layer.out, layer.out);
  check(ok, isa + ": zeros have the same sign in runs of any length");
}

void epilogue(const std::string& isa) {
  Layer layer({2, 4}, 33, 40, 20, true);
  sk::SpmmOptions options = layer.options(isa);
  const std::vector<float> plain = run(plan_of(options), layer.x, 0, layer.tokens);
  options.activation = sk::Activation::kRelu;
  const std::vector<float> relu = run(plan_of(options), layer.x, 0, layer.tokens);
  bool ok = true, both_signs = false;
  for (size_t i = 0; i < plain.size(); ++i)
    ok &= relu[i] == (plain[i] < 0 ? 0 : plain[i]), both_signs |= plain[i] < 0 && plain[0] > plain[i];
  check(ok && both_signs, isa + ": relu");

  options.bias = nullptr;
  options.activation = sk::Activation::kNone;
  const std::vector<float> without = run(plan_of(options), layer.x, 0, layer.tokens);
  ok = true;
  for (size_t i = 0; i < plain.size(); ++i) ok &= without[i] + layer.bias[i % static_cast<size_t>(layer.out)] == plain[i];
  check(ok, isa + ": bias");

  options.activation = sk::Activation::kRelu;
  layer.x[static_cast<size_t>(3 * layer.in)] = NAN;
  const Plan plan = plan_of(options);
  const std::vector<float> y = run(plan, layer.x, 0, layer.tokens), few = run(plan, layer.x, 3, 1);
  bool others = true;
  for (int64_t t = 0; t < layer.tokens; ++t)
    for (int64_t o = 0; o < layer.out; ++o) {
      const float value = y[static_cast<size_t>(t * layer.out + o)], expected = without[static_cast<size_t>(t * layer.out + o)];
      if (t != 3)
        others &= value == (expected < 0 ? 0 : expected);
      else if (layer.weight[static_cast<size_t>(o * layer.in)] != 0)
        ok &= std::isnan(value) && std::isnan(few[static_cast<size_t>(o)]);
    }
  check(ok, isa + ": NaN passes through the sum and relu");
  check(others, isa + ": NaN of one token stays with that token");
}

void cancelling(const std::string& isa) {
  const Layer layer({2, 4}, 300, 64, 130, false);
  const Plan plan = plan_of(layer.options(isa));
  std::vector<float> y(static_cast<size_t>(layer.tokens * layer.out));
  std::atomic<bool> cancel{true};
  bool ok = true;
  for (const int64_t tokens : {1, 130})
    ok &= plan->run(layer.x.data(), sk::DType::kFloat32, tokens, y.data(), sk::DType::kFloat32, &cancel).code() == sk::Code::kAborted;
  check(ok, isa + ": a run whose flag is set beforehand is aborted");
  cancel = false;
  check(plan->run(layer.x.data(), sk::DType::kFloat32, layer.tokens, y.data(), sk::DType::kFloat32, &cancel).ok() &&
            same_bits(y.data(), run(plan, layer.x, 0, 130).data(), 130 * 300),
        isa + ": a flag that stays clear changes nothing");

  std::thread setter([&] { cancel = true; });
  sk::Code code = sk::Code::kOk;
  for (int i = 0; i < 100000 && code == sk::Code::kOk; ++i)
    code = plan->run(layer.x.data(), sk::DType::kFloat32, layer.tokens, y.data(), sk::DType::kFloat32, &cancel).code();
  setter.join();
  check(code == sk::Code::kAborted, isa + ": a flag that is set during a run aborts it");
}

// y of every concurrent run is compared with the y of a quiet one.
bool concurrent_runs(const Plan& plan, const Layer& layer, int threads, int rounds) {
  const std::vector<float> y = run(plan, layer.x, 0, layer.tokens);
  std::atomic<bool> ok{true};
  std::vector<std::thread> runners;
  for (int i = 0; i < threads; ++i)
    runners.emplace_back([&, i] {
      for (int round = 0; round < rounds; ++round) {
        const int64_t count = 1 + (i * 41 + round * 17) % layer.tokens;
        std::vector<float> mine(static_cast<size_t>(count * layer.out));
        if (!plan->run(layer.x.data(), sk::DType::kFloat32, count, mine.data(), sk::DType::kFloat32, nullptr).ok() ||
            !same_bits(mine.data(), y.data(), count * layer.out))
          ok = false;
      }
    });
  for (std::thread& runner : runners) runner.join();
  return ok;
}

void concurrency() {
  const Layer layer({2, 4}, 300, 100, 130, false);
  const Plan plan = plan_of(layer.options(""));
  check(concurrent_runs(plan, layer, 4, 30), "a plan runs in several threads at once");

  // Workspaces are sized for the threads that a run may use: fresh threads, since a thread keeps the largest workspace that it ever had.
  std::atomic<bool> stop{false};
  std::thread changer([&] {
    for (int i = 0; !stop; ++i) sk::ThreadPool::instance().set_threads(i % 2 ? 1 : 8);
  });
  bool ok = true;
  for (int i = 0; i < 150; ++i) ok &= concurrent_runs(plan, layer, 1, 2);
  stop = true;
  changer.join();
  sk::ThreadPool::instance().set_threads(2);
  check(ok, "the number of threads may change while plans run");
}

}  // namespace

void plan_suite() {
  sk::ThreadPool& pool = sk::ThreadPool::instance();
  pool.retain();
  pool.set_threads(2);
  at("plan: errors");
  plan_errors();
  for (const std::string& isa : isas()) {
    at("plan: %s", isa.c_str());
    same_bits_always(isa);
    batches(isa);
    signed_zeros(isa);
    strips_begin_lines(isa);
    epilogue(isa);
    cancelling(isa);
  }
  at("plan: concurrency");
  concurrency();
  pool.set_threads(1);
  pool.release();
}

}  // namespace sk_test
