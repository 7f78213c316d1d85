#include <limits>

#include "plan_layer.h"

namespace sk_test {

void plan_errors() {
  const Layer layer({2, 4}, 8, 16, 1, true);
  const sk::SpmmOptions good = layer.options("");
  const auto code = [](const sk::SpmmOptions& options) {
    Plan plan;
    const sk::Status status = sk::SpmmPlan::create(options, &plan);
    return status.ok() != (plan == nullptr) ? status.code() : sk::Code::kDisposed;  // a plan exactly if there is no error
  };
  check(code(good) == sk::Code::kOk, "create(): succeeds");
  bool ok = true;
  for (const Pattern p :
       {Pattern{0, 4}, {4, 4}, {5, 4}, {-1, 4}, {2, 2}, {2, 5}, {1, 0}, {8, 64}, {32, 32}, {std::numeric_limits<int>::min(), 4}}) {
    sk::SpmmOptions options = good;
    options.n = p.n, options.m = p.m;
    ok &= code(options) == sk::Code::kPattern;
  }
  check(ok, "create(): refuses patterns that it does not know");
  ok = true;
  for (const Pattern p : {Pattern{0, 16}, {8, 0}, {-1, 16}, {8, -1}, {0, 0}}) {
    sk::SpmmOptions options = good;
    options.weight.rows = p.n, options.weight.columns = p.m;
    ok &= code(options) == sk::Code::kShape;
  }
  check(ok, "create(): refuses empty weights");
  ok = true;
  for (const char* isa : {"sse", "AVX2", "avx", "avx22", " "}) {
    sk::SpmmOptions options = good;
    options.isa = isa;
    ok &= code(options) == sk::Code::kIsa;
  }
  check(ok, "create(): refuses an ISA that it does not know");
  for (const sk::KernelRow& row : sk::spmm_kernels()) {
    sk::SpmmOptions options = good;
    options.isa = row.isa;
    ok &= code(options) == (row.supported ? sk::Code::kOk : sk::Code::kIsa);
  }
  check(ok, "create(): refuses an ISA that this machine lacks");
  sk::SpmmOptions options = good;
  options.n = 1;
  check(code(options) == sk::Code::kSparsity, "create(): refuses a weight that breaks the pattern");
  ok = true;
  for (const int threads : {1, 2, 1024, std::numeric_limits<int>::max(), -1}) {
    options = good;
    options.threads = threads;
    ok &= code(options) == sk::Code::kOk;
  }
  for (const int64_t tokens : {int64_t{0}, int64_t{1}, int64_t{1} << 53, int64_t{-1}}) {  // 2^53: the largest that JavaScript counts to
    options = good;
    options.tokens = tokens;
    ok &= code(options) == sk::Code::kOk;
  }
  check(ok, "create(): takes any wish for threads and tokens");

  const Plan plan = plan_of(good);
  check(plan->in() == 16 && plan->out() == 8 && plan->bytes() >= 8 * 16 / 2 * 4 + 8 * 16 / 16 * 4 + 8 * 4,
        "a plan knows its shape and size");
  check(std::string(plan->kernel().name) == plan_of(good)->kernel().name, "a plan names its kernel");
  check(plan->run(nullptr, sk::DType::kFloat32, 0, nullptr, sk::DType::kFloat32, nullptr).ok(), "run(): no tokens, no pointers");
}

}  // namespace sk_test
