#include <algorithm>

#include "../core/memory.h"
#include "../pool/cuda/pool.h"
#include "cuda_verbs.h"
#include "device_call.h"

namespace sk::napi {
namespace {

// poolCuda(options, call) -> Promise<void>
Napi::Value pool_cuda(const Napi::CallbackInfo& info) {
  const Napi::Object o = object(info[0], "options");
  DeviceCall arrays(o, info[1]);
  PoolCudaOptions p = {};
  p.batch = integer(o.Get("batch"), "batch", 0, kMaxDimension), p.heads = integer(o.Get("heads"), "heads", 1, INT32_MAX);
  p.tokens = integer(o.Get("tokens"), "tokens", 0, INT32_MAX), p.dim = integer(o.Get("dim"), "dim", 0, INT32_MAX);
  p.tokens_outside = o.Get("tokensOutside").ToBoolean();
  p.type = float_type(o.Get("type"), "type");
  p.kind = static_cast<PoolKind>(integer(o.Get("kind"), "kind", 0, 6));
  p.windows = integer(o.Get("windows"), "windows", 0, INT32_MAX);
  p.block = integer(o.Get("block"), "block", 1, INT32_MAX), p.stride = integer(o.Get("stride"), "stride", 1, INT32_MAX);
  int64_t sequences, tokens, rows;
  if (!checked_multiply(p.batch, p.heads, &sequences) || !checked_multiply(sequences, p.tokens, &tokens) ||
      !checked_multiply(sequences, p.windows, &rows) || std::max(tokens, rows) > kMaxDimension)
    throw to_error(o.Env(), Status(Code::kShape, "expected fewer windows"));
  p.x = arrays.get("x", p.type, tokens, p.dim);
  p.offsets = arrays.optional("offsets", kInt32Bytes, p.windows + 1, 1);
  p.logit = p.kind == PoolKind::kWeighted ? arrays.get("logit", DType::kFloat32, sequences, p.tokens) : nullptr;
  p.out = arrays.out("out", DType::kFloat32, rows, pool_width(p.kind, p.dim));
  return arrays.queue([p](const std::shared_ptr<const CudaDevice>& device) { return pool_on_cuda(*device, p); });
}

}  // namespace

void define_pool_cuda(Napi::Env env, Napi::Object exports) { exports.Set("poolCuda", Napi::Function::New(env, pool_cuda, "poolCuda")); }

}  // namespace sk::napi
