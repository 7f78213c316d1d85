#include "../pool/cuda/pool.h"
#include "../pool/pool.h"
#include "cuda_verbs.h"
#include "run.h"
#include "strided.h"
#include "verbs.h"

namespace sk::napi {
namespace {

struct Call {
  PoolOptions options;
  std::vector<Input> inputs;  // x, start, count, logit
};

Call decode(const Napi::Object& o) {
  const Napi::Env env = o.Env();
  Call call;
  PoolOptions& p = call.options;
  p.batch = integer(o.Get("batch"), "batch", 0, kMaxDimension);
  p.heads = integer(o.Get("heads"), "heads", 0, kMaxDimension);
  p.tokens = integer(o.Get("tokens"), "tokens", 0, kMaxDimension);
  p.dim = integer(o.Get("dim"), "dim", 0, kMaxDimension);
  const StridedSpan x = strided_span(o, "x", p.batch, p.heads, p.tokens, p.dim);
  p.x = x.data, p.batch_stride = x.batch_stride, p.head_stride = x.head_stride, p.token_stride = x.token_stride;
  const auto start = span<int32_t>(o.Get("start"), "start"), count = span<int32_t>(o.Get("count"), "count");
  p.start = start.data, p.count = count.data, p.windows = start.length;
  expect_length(env, count.length, "count", p.windows, 1);
  p.kind = static_cast<PoolKind>(integer(o.Get("kind"), "kind", 0, 6));
  int64_t sequences, rows;
  if (!checked_multiply(p.batch, p.heads, &sequences) || !checked_multiply(sequences, p.windows, &rows))
    throw to_error(env, Status(Code::kShape, "expected fewer windows"));
  const auto logit = optional_span<float>(o.Get("logit"), "logit");
  if (p.kind == PoolKind::kWeighted) expect_length(env, logit.length, "logit", sequences, p.tokens);
  p.logit = logit.data;
  const auto out = span<float>(o.Get("out"), "out");
  expect_length(env, out.length, "out", rows, pool_width(p.kind, p.dim));
  p.out = out.data;
  p.isa = text(o.Get("isa"), "isa");
  p.threads = static_cast<int>(integer(o.Get("threads"), "threads", 1, 1024));
  const auto bytes = [](int64_t n) { return static_cast<size_t>(n) * 4; };
  call.inputs = {
      {x.data, bytes(x.length)}, {start.data, bytes(start.length)}, {count.data, bytes(count.length)}, {logit.data, bytes(logit.length)}};
  return call;
}

// poolSync(options)
Napi::Value pool_sync(const Napi::CallbackInfo& info) {
  if (const Status status = pool(decode(object(info[0], "options")).options); !status.ok()) throw to_error(info.Env(), status);
  return info.Env().Undefined();
}

// pool(options, cancelToken | undefined) -> Promise<void>; JavaScript must not have seen the buffer of out.
Napi::Value pool_async(const Napi::CallbackInfo& info) {
  const Napi::Object o = object(info[0], "options");
  const Call call = decode(o);
  return run_async(info.Env(), call.inputs, {{o.Get("out"), true}}, CancelToken::flag_of(info[1]),
                   [p = call.options](const void* const* in, void* const* out, const std::atomic<bool>* cancel) mutable {
                     p.x = static_cast<const float*>(in[0]);
                     p.start = static_cast<const int32_t*>(in[1]);
                     p.count = static_cast<const int32_t*>(in[2]);
                     p.logit = static_cast<const float*>(in[3]);
                     p.out = static_cast<float*>(out[0]);
                     p.cancel = cancel;
                     return pool(p);
                   });
}

void define(Napi::Env env, Napi::Object exports) {
  exports.Set("pool", Napi::Function::New(env, pool_async, "pool"));
  exports.Set("poolSync", Napi::Function::New(env, pool_sync, "poolSync"));
  define_pool_cuda(env, exports);
}

std::vector<KernelRow> rows() {
  std::vector<KernelRow> rows = pool_kernels();
  for (KernelRow& row : pool_cuda_kernels()) rows.push_back(std::move(row));
  return rows;
}

}  // namespace

const Verb kPool = {&define, &rows};

}  // namespace sk::napi
