#include <algorithm>

#include "../core/memory.h"
#include "../score/cuda/score.h"
#include "cuda_verbs.h"
#include "device_call.h"

namespace sk::napi {
namespace {

// scoreCuda(options, call) -> Promise<void>
Napi::Value score_cuda(const Napi::CallbackInfo& info) {
  const Napi::Object o = object(info[0], "options");
  DeviceCall arrays(o, info[1]);
  ScoreCudaOptions s = {};
  constexpr int64_t kMost = int64_t{1} << 30;
  const auto size = [&](const char* name, int64_t low) { return integer(o.Get(name), name, low, kMost); };
  const auto expect = [&](bool ok, const char* what) {
    if (!ok) throw to_error(o.Env(), Status(Code::kShape, std::string("expected ") + what));
  };
  s.kind = static_cast<ScoreCudaKind>(integer(o.Get("kind"), "kind", 0, 5));
  s.q_type = float_type(o.Get("qType"), "qType"), s.k_type = float_type(o.Get("kType"), "kType");
  s.tokens_outside = o.Get("tokensOutside").ToBoolean();
  s.batch = size("batch", 0), s.heads = size("heads", 0), s.kv_heads = size("kvHeads", 1);
  s.queries = size("queries", 0), s.keys = size("keys", 0), s.dim = size("dim", 1);
  expect(s.heads % s.kv_heads == 0, "heads to be a multiple of kvHeads");
  s.scale = o.Get("scale").ToNumber().FloatValue();
  s.causal = o.Get("causal").ToBoolean();
  s.group = static_cast<GroupReduce>(integer(o.Get("group"), "group", 0, 2));
  s.block_q = size("blockQ", 1), s.block_k = size("blockK", 1);
  int64_t sequences, kv_sequences, queries, keys;
  expect(checked_multiply(s.batch, s.heads, &sequences) && checked_multiply(s.batch, s.kv_heads, &kv_sequences) &&
             checked_multiply(sequences, s.queries, &queries) && checked_multiply(kv_sequences, s.keys, &keys),
         "fewer sequences");
  s.q = arrays.get("q", s.q_type, queries, s.dim);
  s.k = arrays.get("k", s.k_type, keys, s.kind == ScoreCudaKind::kBounds ? 2 * s.dim : s.dim);
  s.limit = arrays.optional("limit", kInt32Bytes, s.queries, 1);
  int64_t rows = s.group == GroupReduce::kNone ? sequences : kv_sequences, columns = s.keys;
  if (s.kind == ScoreCudaKind::kLines) {
    s.last_queries = size("lastQueries", 1);
    expect(s.last_queries <= s.queries && s.queries <= s.keys, "from 1 to `queries` last queries, and not more queries than keys");
    expect(s.group == GroupReduce::kNone, "no group reduction");
    s.slash = arrays.out("slash", DType::kFloat32, rows, columns);
  } else if (s.kind == ScoreCudaKind::kMax || s.kind == ScoreCudaKind::kMass) {
    columns = (s.keys + s.block_k - 1) / s.block_k;
    expect(checked_multiply(rows, (s.queries + s.block_q - 1) / s.block_q, &rows), "fewer scores");
    if (s.kind == ScoreCudaKind::kMass) s.lse = arrays.get("lse", DType::kFloat32, queries, 1);
  } else {
    expect(checked_multiply(rows, s.queries, &rows), "fewer scores");
  }
  s.out = arrays.out("out", DType::kFloat32, rows, columns);
  return arrays.queue([s](const std::shared_ptr<const CudaDevice>& device) { return score_on_cuda(device, s); });
}

}  // namespace

void define_score_cuda(Napi::Env env, Napi::Object exports) { exports.Set("scoreCuda", Napi::Function::New(env, score_cuda, "scoreCuda")); }

}  // namespace sk::napi
