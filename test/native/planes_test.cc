// planes: every row beside guard pages, against a float64 product; offsets beyond 32 bits.
#include "../../native/planes/planes.h"

#include <sys/mman.h>

#include <map>
#include <memory>
#include <vector>

#include "../../native/core/parallel.h"
#include "guarded.h"
#include "harness.h"
#include "oracle.h"

namespace sk_test {
namespace {

std::string multiply(Random& random, const char* isa, int block, std::string* kernel) {
  const int64_t images = random.below(4), in = 1 + random.below(random.below(4) ? 40 : 600),
                out = 1 + random.below(random.below(4) ? 30 : 600);
  const int64_t pixels = random.below(random.below(3) ? 30 : 200);
  const Edge edge = random.below(2) ? Edge::kEnd : Edge::kStart;
  const int percent = random.below(101);
  std::vector<float> weight = random_dense(random, out * in, true);
  for (float& w : weight)
    if (random.below(100) >= percent) w = 0;
  const std::vector<float> bias = random_dense(random, out, true), x = random_dense(random, images * in * pixels, true);
  std::vector<double> y(static_cast<size_t>(images * out * pixels));
  for (int64_t n = 0; n < images; ++n)
    for (int64_t o = 0; o < out; ++o)
      for (int64_t p = 0; p < pixels; ++p) {
        double sum = bias[static_cast<size_t>(o)];
        for (int64_t i = 0; i < in; ++i)
          sum += static_cast<double>(weight[static_cast<size_t>(o * in + i)]) * x[static_cast<size_t>((n * in + i) * pixels + p)];
        y[static_cast<size_t>((n * out + o) * pixels + p)] = sum < 0 ? 0 : sum > 6 ? 6 : sum;
      }
  std::shared_ptr<const sk::PlanesPlan> plan;
  {
    const Guarded<float> guarded_weight(weight, edge), guarded_bias(bias, edge);
    sk::PlanesOptions o;
    o.weight = guarded_weight.data(), o.bias = guarded_bias.data();
    o.in = in, o.out = out, o.block = block;
    o.activation = sk::PlanesActivation::kRelu6;
    o.isa = isa;
    if (const sk::Status status = sk::PlanesPlan::create(o, &plan); !status.ok()) return status.message();
  }
  *kernel = plan->kernel().name;
  const Guarded<float> guarded_x(x, edge), guarded_y(y.size(), edge);
  if (const sk::Status status = plan->run(guarded_x.data(), images, pixels, guarded_y.data(), nullptr); !status.ok())
    return status.message();
  if (!guarded_y.slack_untouched()) return "run() wrote beside y";
  if (!same_bits(guarded_x.data(), x.data(), static_cast<int64_t>(x.size()))) return "run() wrote to x";
  const int64_t i = first_difference(guarded_y.data(), y, 0);
  return i < 0 ? "" : "y[" + std::to_string(i) + "] differs";
}

// Planes so far apart that their distance in bytes needs more than 32 bits; pages that nobody touches cost nothing.
void wide_planes(const char* isa) {
  constexpr int64_t kStep = (int64_t{1} << 31) + 16, kInputs = 3, kOutputs = 2;
  constexpr size_t kBytes = static_cast<size_t>(kStep * kInputs + 64) * 4;
  float* planes[2];
  for (float*& p : planes) {
    void* mapped = mmap(nullptr, kBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (mapped == MAP_FAILED) {
      std::printf("skip planes of 2^31 pixels: no address space\n");
      return;
    }
    p = static_cast<float*>(mapped);
  }
  const float weight[] = {1, 0, 3, 0, 5, 7};
  std::shared_ptr<const sk::PlanesPlan> plan;
  sk::PlanesOptions o;
  o.weight = weight;
  o.in = kInputs, o.out = kOutputs;
  o.isa = isa;
  bool right = sk::PlanesPlan::create(o, &plan).ok();
  for (int i = 0; i < kInputs; ++i) planes[0][i * kStep] = static_cast<float>(i + 1);
  const sk::PackedPlanes packed = plan->packed();
  alignas(64) float panel[kInputs * 16];
  plan->kernel().run(
      {&packed, 0, 0, true, true, sk::PlanesActivation::kNone, packed.bias, planes[0], kStep, true, panel, nullptr, 0, planes[1], kStep},
      1);
  right = right && planes[1][0] == 10 && planes[1][kStep] == 31;
  check(right, std::string("planes of 2^31 pixels on ") + isa);
  for (float* p : planes) munmap(p, kBytes);
}

}  // namespace

void planes_suite() {
  sk::ThreadPool& pool = sk::ThreadPool::instance();
  pool.retain();
  pool.set_threads(2);
  Random random(11);
  std::map<std::string, int> ran;
  for (const sk::KernelRow& row : sk::planes_kernels()) {
    if (!row.supported) continue;
    const int block = row.pattern == "unstructured" ? 1 : row.pattern[0] - '0';
    std::string problem, kernel;
    for (int i = 0; i < 60 && problem.empty(); ++i) {
      at("%s, problem %d", row.name, i);
      problem = multiply(random, row.isa, block, &kernel);
      ++ran[kernel];
    }
    check(problem.empty() && ran[row.name] == 60, std::string(row.name) + (problem.empty() ? ", 60 products" : ": " + problem));
    if (block == 1) wide_planes(row.isa);
  }
  pool.set_threads(1);
  pool.release();
}

}  // namespace sk_test
