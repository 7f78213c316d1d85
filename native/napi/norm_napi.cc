#include <algorithm>
#include <vector>

#include "../norm/norm.h"
#include "args.h"
#include "run.h"
#include "verbs.h"

namespace sk::napi {
namespace {

struct Call {
  NormOptions options;
  std::vector<Input> inputs;  // x, added, weight, bias, mean, variance
};

// (x, { channels, added, norm, weight, bias, mean, variance, epsilon, activation, privateX, privateAdded }, y, ...)
Call call_of(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const Napi::Object o = object(info[1], "options");
  Call call;
  NormOptions& n = call.options;
  const auto x = span<float>(info[0], "x"), y = span<float>(info[2], "out");
  n.channels = integer(o.Get("channels"), "channels", 1, int64_t{1} << 31);
  n.rows = x.length / n.channels;
  expect_length(env, x.length, "x", n.rows, n.channels);
  expect_length(env, y.length, "out", n.rows, n.channels);
  n.norm = static_cast<Norm>(integer(o.Get("norm"), "norm", 0, 2));
  n.activation = static_cast<NormActivation>(integer(o.Get("activation"), "activation", 0, 3));
  n.epsilon = o.Get("epsilon").ToNumber();
  n.x = x.data;
  n.y = y.data;
  const auto operand = [&](const Napi::Value& value, int64_t length, const char* name, bool is_private) {
    const auto array = optional_span<float>(value, name);
    if (array.data != nullptr) expect_length(env, array.length, name, length, 1);
    call.inputs.push_back({array.data, static_cast<size_t>(array.length) * 4, is_private ? value : Napi::Value()});
    return array.data;
  };
  operand(info[0], x.length, "x", o.Get("privateX").ToBoolean());
  n.added = operand(o.Get("added"), x.length, "added", o.Get("privateAdded").ToBoolean());
  n.weight = operand(o.Get("weight"), n.channels, "weight", false);
  n.bias = operand(o.Get("bias"), n.channels, "bias", false);
  n.mean = operand(o.Get("mean"), n.channels, "mean", false);
  n.variance = operand(o.Get("variance"), n.channels, "variance", false);
  if ((n.mean == nullptr) != (n.variance == nullptr)) throw type_error(env, "expected both mean and variance or neither");
  return call;
}

// normRun(x, options, y, cancelToken | undefined) -> Promise<void>; JavaScript must not have seen y, nor x and added where they are
// private.
Napi::Value run(const Napi::CallbackInfo& info) {
  const Call call = call_of(info);
  return run_async(info.Env(), call.inputs, {{info[2], true}}, CancelToken::flag_of(info[3]),
                   [options = call.options](const void* const* in, void* const* out, const std::atomic<bool>* cancel) {
                     NormOptions staged = options;
                     const float** const operands[] = {&staged.x,    &staged.added, &staged.weight,
                                                       &staged.bias, &staged.mean,  &staged.variance};
                     for (size_t i = 0; i < 6; ++i) *operands[i] = static_cast<const float*>(in[i]);
                     staged.y = static_cast<float*>(out[0]);
                     return norm_rows(staged, cancel);
                   });
}

// norm(x, options, y): on the calling thread and the pool
Napi::Value run_sync(const Napi::CallbackInfo& info) {
  if (const Status status = norm_rows(call_of(info).options, nullptr); !status.ok()) throw to_error(info.Env(), status);
  return info.Env().Undefined();
}

struct MomentsOf {
  Span<float> x, mean, variance;
};

// (x, mean [channels], variance [channels], ..)
MomentsOf moments_of(const Napi::CallbackInfo& info) {
  const MomentsOf m = {span<float>(info[0], "x"), span<float>(info[1], "mean"), span<float>(info[2], "variance")};
  if (m.mean.length < 1) throw type_error(info.Env(), "expected mean to hold at least one number");
  expect_length(info.Env(), m.variance.length, "variance", m.mean.length, 1);
  expect_length(info.Env(), m.x.length, "x", m.x.length / m.mean.length, m.mean.length);
  return m;
}

Status write_moments(const MomentsOf& m) {
  std::vector<double> exact(static_cast<size_t>(2 * m.mean.length));
  double *mean = exact.data(), *variance = mean + m.mean.length;
  const Status status = row_moments(m.x.data, m.x.length / m.mean.length, m.mean.length, mean, variance);
  std::copy_n(mean, m.mean.length, m.mean.data);
  std::copy_n(variance, m.mean.length, m.variance.data);
  return status;
}

// rowMoments(x, mean, variance)
Napi::Value moments_sync(const Napi::CallbackInfo& info) {
  if (const Status status = write_moments(moments_of(info)); !status.ok()) throw to_error(info.Env(), status);
  return info.Env().Undefined();
}

// rowMomentsRun(x, mean, variance, privateX, cancelToken | undefined) -> Promise<void>; JavaScript must not have seen mean and variance,
// nor x where it is private
Napi::Value moments(const Napi::CallbackInfo& info) {
  const MomentsOf m = moments_of(info);
  const Input x = {m.x.data, static_cast<size_t>(m.x.length) * 4, info[3].ToBoolean() ? info[0] : Napi::Value()};
  return run_async(
      info.Env(), {x}, {{info[1], true}, {info[2], true}}, CancelToken::flag_of(info[4]),
      [m](const void* const* in, void* const* out, const std::atomic<bool>*) {
        float* const from = const_cast<float*>(static_cast<const float*>(in[0]));
        return write_moments(
            {{from, m.x.length}, {static_cast<float*>(out[0]), m.mean.length}, {static_cast<float*>(out[1]), m.variance.length}});
      });
}

}  // namespace

const Verb kNorm = {[](Napi::Env env, Napi::Object exports) {
                      exports.Set("normRun", Napi::Function::New(env, run, "normRun"));
                      exports.Set("norm", Napi::Function::New(env, run_sync, "norm"));
                      exports.Set("rowMoments", Napi::Function::New(env, moments_sync, "rowMoments"));
                      exports.Set("rowMomentsRun", Napi::Function::New(env, moments, "rowMomentsRun"));
                    },
                    nullptr};

}  // namespace sk::napi
