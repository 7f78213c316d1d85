#include <cstdint>
#include <vector>

#include "args.h"
#include "attend_napi.h"
#include "run.h"

namespace sk::napi {

Napi::Value attend_merge(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  if (!info[0].IsArray() || !info[1].IsArray()) throw type_error(env, "expected arrays of outputs and lses");
  const auto outputs = info[0].As<Napi::Array>(), lses = info[1].As<Napi::Array>();
  const int64_t rows = integer(info[2], "rows", 0, kMaxDimension), d = integer(info[3], "headDim", 1, INT32_MAX), count = outputs.Length();
  expect_length(env, lses.Length(), "lses", 1, count);
  std::vector<Input> inputs;
  for (uint32_t i = 0; i < count; ++i) {
    const auto output = span<float>(outputs.Get(i), "output"), lse = span<float>(lses.Get(i), "lse");
    expect_length(env, output.length, "output", rows, d);
    expect_length(env, lse.length, "lse", rows, 1);
    inputs.push_back({output.data, static_cast<size_t>(output.length) * sizeof(float)});
    inputs.push_back({lse.data, static_cast<size_t>(lse.length) * sizeof(float)});
  }
  expect_length(env, span<float>(info[4], "output").length, "output", rows, d);
  expect_length(env, span<float>(info[5], "lse").length, "lse", rows, 1);
  return run_async(env, inputs, {{info[4], true}, {info[5], true}}, nullptr,
                   [rows, d, count](const void* const* in, void* const* out, const std::atomic<bool>*) {
                     std::vector<const float*> o, l;
                     for (int64_t i = 0; i < count; ++i) {
                       o.push_back(static_cast<const float*>(in[2 * i]));
                       l.push_back(static_cast<const float*>(in[2 * i + 1]));
                     }
                     sk::attend_merge(o.data(), l.data(), count, rows, d, static_cast<float*>(out[0]), static_cast<float*>(out[1]));
                     return Status();
                   });
}

}  // namespace sk::napi
