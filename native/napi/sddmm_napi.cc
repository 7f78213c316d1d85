#include "../sddmm/sddmm.h"
#include "args.h"
#include "run.h"
#include "verbs.h"

namespace sk::napi {
namespace {

// sddmm(a, b, mask, { tokens, out, in, isa, threads }, d, cancelToken | undefined) -> Promise<void>; JavaScript must not have seen d
Napi::Value sddmm_async(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const auto a = span<float>(info[0], "a"), b = span<float>(info[1], "b");
  const auto mask = span<uint8_t>(info[2], "mask");
  const Napi::Object o = object(info[3], "options");
  SddmmOptions options;
  options.tokens = integer(o.Get("tokens"), "tokens", 0, kMaxDimension);
  options.out = integer(o.Get("out"), "out", 1, int64_t{1} << 31);
  options.in = integer(o.Get("in"), "in", 1, (int64_t{1} << 31) - 1);
  options.isa = text(o.Get("isa"), "isa");
  options.threads = static_cast<int>(integer(o.Get("threads"), "threads", 0, 1024));
  expect_length(env, a.length, "a", options.tokens, options.out);
  expect_length(env, b.length, "b", options.tokens, options.in);
  expect_length(env, mask.length, "mask", options.out, options.in);
  expect_length(env, span<float>(info[4], "d").length, "d", options.out, options.in);
  return run_async(env,
                   {{a.data, static_cast<size_t>(a.length) * 4},
                    {b.data, static_cast<size_t>(b.length) * 4},
                    {mask.data, static_cast<size_t>(mask.length)}},
                   {{info[4], true}}, CancelToken::flag_of(info[5]),
                   [options](const void* const* in, void* const* out, const std::atomic<bool>* cancel) {
                     SddmmOptions run = options;
                     run.a = static_cast<const float*>(in[0]);
                     run.b = static_cast<const float*>(in[1]);
                     run.mask = static_cast<const uint8_t*>(in[2]);
                     run.d = static_cast<float*>(out[0]);
                     return sddmm(run, cancel);
                   });
}

}  // namespace

const Verb kSddmm = {[](Napi::Env env, Napi::Object exports) { exports.Set("sddmm", Napi::Function::New(env, sddmm_async, "sddmm")); },
                     &sddmm_kernels};

}  // namespace sk::napi
