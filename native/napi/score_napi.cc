#include "../score/cuda/score.h"
#include "../score/score.h"
#include "cuda_verbs.h"
#include "run.h"
#include "strided.h"
#include "verbs.h"

namespace sk::napi {
namespace {

enum class Kind { kDot, kSoftmax, kBounds, kMax, kMass, kLines, kAntidiagonal };

// A scoring, decoded: its arrays point into JavaScript's memory until run() is told others.
struct Call {
  ScoreOptions options;
  Kind kind;
  int64_t block_q = 1, block_k = 1, stride = 1;
  bool causal = false;
  Span<float> q, lse;
  Input k;
  Span<int32_t> limit;

  // in: q, k, limit, lse; out: the scores, or the vertical and the slash sums.
  Status run(const void* const* in, void* const* out, const std::atomic<bool>* cancel) const {
    ScoreOptions o = options;
    o.q.data = static_cast<const float*>(in[0]);
    if (o.k_bf16 != nullptr)
      o.k_bf16 = static_cast<const BHalf*>(in[1]);
    else
      o.k.data = static_cast<const float*>(in[1]);
    o.limit = static_cast<const int32_t*>(in[2]);
    o.cancel = cancel;
    const auto* sums = static_cast<const float*>(in[3]);
    auto *a = static_cast<float*>(out[0]), *b = static_cast<float*>(out[1]);
    switch (kind) {
      case Kind::kDot:
      case Kind::kSoftmax: return score_dot(o, kind == Kind::kSoftmax, a);
      case Kind::kBounds: return score_bounds(o, a);
      case Kind::kMax:
      case Kind::kMass: return score_blocks(o, kind == Kind::kMax ? BlockKind::kMax : BlockKind::kMass, block_q, block_k, sums, a);
      case Kind::kLines: return score_lines(o, a, b);
      case Kind::kAntidiagonal: return score_antidiagonal(o, stride, block_q, causal, a);
    }
    return Status();
  }
};

int64_t blocks(int64_t n, int64_t block) { return ceil_div(n, block); }

Call decode(const Napi::Object& o) {
  const Napi::Env env = o.Env();
  Call call;
  ScoreOptions& s = call.options;
  call.kind = static_cast<Kind>(integer(o.Get("kind"), "kind", 0, 6));
  s.batch = integer(o.Get("batch"), "batch", 0, kMaxDimension);
  s.heads = integer(o.Get("heads"), "heads", 0, kMaxDimension);
  s.kv_heads = integer(o.Get("kvHeads"), "kvHeads", 1, kMaxDimension);
  s.queries = integer(o.Get("queries"), "queries", 0, kMaxDimension);
  s.keys = integer(o.Get("keys"), "keys", 0, kMaxDimension);
  s.dim = integer(o.Get("dim"), "dim", 1, kMaxDimension);
  const auto expect = [env](bool ok, const char* what) {
    if (!ok) throw to_error(env, Status(Code::kShape, std::string("expected ") + what));
  };
  expect(s.heads % s.kv_heads == 0, "heads to be a multiple of kvHeads");
  const auto q = strided_span(o, "q", s.batch, s.heads, s.queries, s.dim);
  s.channels_first = o.Get("channelsFirst").ToBoolean();
  expect(!s.channels_first || (call.kind == Kind::kDot && s.queries == 1), "dot products of one query where channels come first");
  const int64_t tokens = s.channels_first ? s.dim : s.keys, width = s.channels_first             ? s.keys
                                                                    : call.kind == Kind::kBounds ? 2 * s.dim
                                                                                                 : s.dim;
  const auto take_k = [&](const auto& k) {
    s.k = {nullptr, k.batch_stride, k.head_stride, k.token_stride};
    call.k = {k.data, static_cast<size_t>(k.length) * sizeof(*k.data)};
  };
  if (o.Get("narrowKeys").ToBoolean()) {
    expect((call.kind == Kind::kBounds || s.channels_first) && s.queries == 1,
           "one query, bounds or channels first, where keys are narrow");
    const auto k = strided_span<uint16_t>(o, "k", s.batch, s.kv_heads, tokens, width);
    take_k(k);
    s.k_bf16 = reinterpret_cast<const BHalf*>(k.data);
  } else {
    const auto k = strided_span(o, "k", s.batch, s.kv_heads, tokens, width);
    take_k(k);
    s.k.data = k.data;
  }
  s.q = {q.data, q.batch_stride, q.head_stride, q.token_stride};
  expect(call.kind != Kind::kBounds || s.keys <= 1 || s.k.token_stride == 2 * s.dim, "pages of 2 dim floats one after the other");
  call.q = {const_cast<float*>(q.data), q.length};
  s.scale = o.Get("scale").ToNumber().FloatValue();
  call.limit = optional_span<int32_t>(o.Get("limit"), "limit");
  if (!o.Get("limit").IsUndefined()) expect_length(env, call.limit.length, "limit", s.queries, 1);
  call.lse = optional_span<float>(o.Get("lse"), "lse");
  s.group = static_cast<GroupReduce>(integer(o.Get("group"), "group", 0, 2));
  s.isa = text(o.Get("isa"), "isa");
  s.threads = static_cast<int>(integer(o.Get("threads"), "threads", 1, 1024));
  call.block_q = integer(o.Get("blockQ"), "blockQ", 1, kMaxDimension);
  call.block_k = integer(o.Get("blockK"), "blockK", 1, kMaxDimension);
  call.stride = integer(o.Get("stride"), "stride", 1, kMaxDimension);
  call.causal = o.Get("causal").ToBoolean();

  int64_t sequences, rows = s.queries, columns = s.keys;
  switch (call.kind) {
    case Kind::kDot:
    case Kind::kSoftmax:
    case Kind::kBounds: break;
    case Kind::kMass:
      expect(checked_multiply(s.batch, s.heads, &sequences), "fewer sequences");
      expect_length(env, call.lse.length, "lse", sequences, s.queries);
      [[fallthrough]];
    case Kind::kMax: rows = blocks(s.queries, call.block_q), columns = blocks(s.keys, call.block_k); break;
    case Kind::kLines:
      expect(s.queries >= 1 && s.queries <= s.keys, "from 1 to `keys` queries");
      expect(s.group == GroupReduce::kNone, "no group reduction");
      rows = 1;
      break;
    case Kind::kAntidiagonal:
      expect(call.block_q % call.stride == 0, "a block that is a multiple of the stride");
      expect(s.group == GroupReduce::kNone, "no group reduction");
      rows = blocks(s.queries, call.block_q), columns = blocks(s.keys, call.block_q);
      break;
  }
  expect(checked_multiply(s.batch, s.out_heads(), &sequences) && checked_multiply(sequences, rows, &rows), "fewer scores");
  expect_length(env, span<float>(o.Get("out"), "out").length, "out", rows, columns);
  if (call.kind == Kind::kLines) expect_length(env, span<float>(o.Get("slash"), "slash").length, "slash", rows, columns);
  return call;
}

// scoreSync(options)
Napi::Value score_sync(const Napi::CallbackInfo& info) {
  const Napi::Object o = object(info[0], "options");
  const Call call = decode(o);
  const void* in[] = {call.q.data, call.k.data, call.limit.data, call.lse.data};
  void* out[] = {span<float>(o.Get("out"), "out").data, optional_span<float>(o.Get("slash"), "slash").data};
  if (const Status status = call.run(in, out, nullptr); !status.ok()) throw to_error(info.Env(), status);
  return info.Env().Undefined();
}

// score(options, cancelToken | undefined) -> Promise<void>; JavaScript must not have seen the buffers of the outputs.
Napi::Value score_async(const Napi::CallbackInfo& info) {
  const Napi::Object o = object(info[0], "options");
  const Call call = decode(o);
  const auto input = [](const auto& s) { return Input{s.data, static_cast<size_t>(s.length) * 4}; };
  std::vector<Output> outputs = {{o.Get("out"), true}};
  if (call.kind == Kind::kLines) outputs.push_back({o.Get("slash"), true});
  return run_async(info.Env(), {input(call.q), call.k, input(call.limit), input(call.lse)}, outputs, CancelToken::flag_of(info[1]),
                   [call](const void* const* in, void* const* out, const std::atomic<bool>* cancel) {
                     void* both[] = {out[0], call.kind == Kind::kLines ? out[1] : nullptr};
                     return call.run(in, both, cancel);
                   });
}

// poolScores({ x, rows, columns, stride, left, size, weight, out, outColumns, threads })
Napi::Value pool_scores_sync(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const Napi::Object o = object(info[0], "options");
  const int64_t rows = integer(o.Get("rows"), "rows", 0, kMaxDimension), columns = integer(o.Get("columns"), "columns", 0, kMaxDimension);
  const int64_t out_columns = integer(o.Get("outColumns"), "outColumns", 0, kMaxDimension);
  const int64_t size = integer(o.Get("size"), "size", 1, kMaxDimension);
  const auto x = span<float>(o.Get("x"), "x"), out = span<float>(o.Get("out"), "out");
  const auto weight = optional_span<float>(o.Get("weight"), "weight");
  expect_length(env, x.length, "x", rows, columns);
  expect_length(env, out.length, "out", rows, out_columns);
  if (weight.data != nullptr) expect_length(env, weight.length, "weight", size, 1);
  pool_scores(x.data, rows, columns, integer(o.Get("stride"), "stride", 1, 1 << 20), integer(o.Get("left"), "left", 0, 1 << 20), size,
              weight.data, out_columns, static_cast<int>(integer(o.Get("threads"), "threads", 1, 1024)), out.data);
  return env.Undefined();
}

void define(Napi::Env env, Napi::Object exports) {
  exports.Set("score", Napi::Function::New(env, score_async, "score"));
  exports.Set("scoreSync", Napi::Function::New(env, score_sync, "scoreSync"));
  exports.Set("poolScores", Napi::Function::New(env, pool_scores_sync, "poolScores"));
  define_score_cuda(env, exports);
}

std::vector<KernelRow> rows() {
  std::vector<KernelRow> rows = score_kernels();
  for (KernelRow& row : score_cuda_kernels()) rows.push_back(std::move(row));
  return rows;
}

}  // namespace

const Verb kScore = {&define, &rows};

}  // namespace sk::napi
