// A layer of made-up weights, and plans of it.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "../../native/spmm/spmm.h"
#include "harness.h"
#include "oracle.h"

namespace sk_test {

using Plan = std::shared_ptr<const sk::SpmmPlan>;

struct Layer {
  Layer(Pattern p, int64_t out, int64_t in, int64_t tokens, bool integers) : pattern(p), out(out), in(in), tokens(tokens) {
    Random random(static_cast<uint64_t>(out + in));
    weight = random_sparse(random, out, in, p, integers);
    bias = random_dense(random, out, integers);
    x = random_dense(random, tokens * in, integers);
  }
  sk::SpmmOptions options(const std::string& isa) const {
    sk::SpmmOptions o;
    o.weight = {weight.data(), sk::DType::kFloat32, out, in};
    o.bias = bias.data();
    o.n = pattern.n, o.m = pattern.m;
    o.isa = isa;
    return o;
  }
  Pattern pattern;
  int64_t out, in, tokens;
  std::vector<float> weight, bias, x;
};

inline Plan plan_of(const sk::SpmmOptions& options) {
  Plan plan;
  const sk::Status status = sk::SpmmPlan::create(options, &plan);
  if (!status.ok()) check(false, "create(): " + status.message());
  return plan;
}

// What create() refuses, and what it takes.
void plan_errors();

}  // namespace sk_test
