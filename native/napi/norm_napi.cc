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

// rowMoments(x, mean [channels], variance [channels])
Napi::Value moments(const Napi::CallbackInfo& info) {
  const auto x = span<float>(info[0], "x");
  const auto mean = span<float>(info[1], "mean"), variance = span<float>(info[2], "variance");
  if (mean.length < 1) throw type_error(info.Env(), "expected mean to hold at least one number");
  expect_length(info.Env(), variance.length, "variance", mean.length, 1);
  const int64_t rows = x.length / mean.length;
  expect_length(info.Env(), x.length, "x", rows, mean.length);
  std::vector<double> exact(static_cast<size_t>(2 * mean.length));
  if (const Status status = row_moments(x.data, rows, mean.length, exact.data(), exact.data() + mean.length); !status.ok())
    throw to_error(info.Env(), status);
  std::copy_n(exact.data(), mean.length, mean.data);
  std::copy_n(exact.data() + mean.length, mean.length, variance.data);
  return info.Env().Undefined();
}

}  // namespace

const Verb kNorm = {[](Napi::Env env, Napi::Object exports) {
                      exports.Set("normRun", Napi::Function::New(env, run, "normRun"));
                      exports.Set("norm", Napi::Function::New(env, run_sync, "norm"));
                      exports.Set("rowMoments", Napi::Function::New(env, moments, "rowMoments"));
                    },
                    nullptr};

}  // namespace sk::napi
