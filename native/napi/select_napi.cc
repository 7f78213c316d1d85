#include "../select/cuda/select.h"
#include "../select/select.h"
#include "args.h"
#include "cuda_verbs.h"
#include "run.h"
#include "verbs.h"

namespace sk::napi {
namespace {

// Exactly one of masked and mask; masked with a weight.
MaskOutput mask_output(const Napi::Object& o, int64_t rows, int64_t columns) {
  const Napi::Env env = o.Env();
  const auto weight = optional_span<float>(o.Get("weight"), "weight");
  const auto masked = optional_span<float>(o.Get("masked"), "masked");
  const auto mask = optional_span<uint8_t>(o.Get("mask"), "mask");
  if (o.Get("masked").IsUndefined() == o.Get("mask").IsUndefined()) throw type_error(env, "expected one of masked and mask");
  if (!o.Get("masked").IsUndefined()) {
    expect_length(env, masked.length, "masked", rows, columns);
    expect_length(env, weight.length, "weight", rows, columns);
  } else {
    expect_length(env, mask.length, "mask", rows, columns);
  }
  return {weight.data, masked.data, mask.data};
}

int threads_of(const Napi::Object& o) { return static_cast<int>(integer(o.Get("threads"), "threads", 1, 1024)); }

// selectGroups({ scores, rows, columns, n, m, magnitude, weight, masked, mask, isa, threads })
Napi::Value groups(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const Napi::Object o = object(info[0], "options");
  GroupSelection s;
  const auto scores = span<float>(o.Get("scores"), "scores");
  s.scores = scores.data;
  s.rows = integer(o.Get("rows"), "rows", 0, kMaxDimension);
  s.columns = integer(o.Get("columns"), "columns", 0, kMaxDimension);
  expect_length(env, scores.length, "scores", s.rows, s.columns);
  s.n = static_cast<int>(integer(o.Get("n"), "n", 0, 64));
  s.m = static_cast<int>(integer(o.Get("m"), "m", 0, 64));
  s.magnitude = o.Get("magnitude").ToBoolean();
  s.out = mask_output(o, s.rows, s.columns);
  s.isa = text(o.Get("isa"), "isa");
  s.threads = threads_of(o);
  if (const Status status = select_groups(s); !status.ok()) throw to_error(env, status);
  return env.Undefined();
}

template <class T>
const T* per_row(const Napi::Object& o, const char* name, int64_t rows, bool needed) {
  if (!needed && o.Get(name).IsUndefined()) return nullptr;
  const auto values = span<T>(o.Get(name), name);
  expect_length(o.Env(), values.length, name, rows, 1);
  return values.data;
}

// Everything of a RowSelection, pointing into JavaScript's memory.
RowSelection row_selection(const Napi::Object& o) {
  RowSelection s;
  const auto scores = span<float>(o.Get("scores"), "scores");
  s.scores = scores.data;
  s.rows = integer(o.Get("rows"), "rows", 0, kMaxDimension);
  s.columns = integer(o.Get("columns"), "columns", 0, kMaxDimension);
  expect_length(o.Env(), scores.length, "scores", s.rows, s.columns);
  RowRule& rule = s.rule;
  rule.rule = static_cast<Rule>(integer(o.Get("rule"), "rule", 0, 3));
  rule.k = per_row<int32_t>(o, "k", s.rows, rule.rule == Rule::kTopK);
  rule.amount = per_row<float>(o, "amount", s.rows, rule.rule != Rule::kTopK);
  rule.limit = per_row<int32_t>(o, "limit", s.rows, false);
  rule.first = integer(o.Get("first"), "first", 0, kMaxDimension);
  rule.sink = integer(o.Get("sink"), "sink", 0, kMaxDimension);
  rule.local = integer(o.Get("local"), "local", 0, kMaxDimension);
  rule.least = integer(o.Get("least"), "least", 0, kMaxDimension);
  rule.most = integer(o.Get("most"), "most", 0, kMaxDimension);
  rule.crossing = static_cast<Crossing>(integer(o.Get("crossing"), "crossing", 0, 2));
  rule.relative = o.Get("relative").ToBoolean();
  rule.needs_reach = o.Get("needsReach").ToBoolean();
  rule.strict = o.Get("strict").ToBoolean();
  s.magnitude = o.Get("magnitude").ToBoolean();
  s.isa = text(o.Get("isa"), "isa");
  s.threads = threads_of(o);
  if (!o.Get("index").IsUndefined()) {
    s.capacity = integer(o.Get("capacity"), "capacity", 0, kMaxDimension);
    const auto index = span<int32_t>(o.Get("index"), "index");
    expect_length(o.Env(), index.length, "index", s.rows, s.capacity);
    s.index = index.data;
    s.count = const_cast<int32_t*>(per_row<int32_t>(o, "count", s.rows, true));
    s.lists = true;
  } else {
    s.out = mask_output(o, s.rows, s.columns);
  }
  return s;
}

// selectRowsSync(options)
Napi::Value rows_sync(const Napi::CallbackInfo& info) {
  if (const Status status = select_rows(row_selection(object(info[0], "options"))); !status.ok()) throw to_error(info.Env(), status);
  return info.Env().Undefined();
}

// selectRows(options, cancelToken | undefined) -> Promise<void>; JavaScript must not have seen the buffers of the outputs.
Napi::Value rows_async(const Napi::CallbackInfo& info) {
  const Napi::Object o = object(info[0], "options");
  const RowSelection s = row_selection(o);
  const auto rows = static_cast<size_t>(s.rows), all = rows * static_cast<size_t>(s.columns);
  const std::vector<Input> inputs = {{s.scores, all * sizeof(float)},
                                     {s.rule.k, s.rule.k == nullptr ? 0 : rows * sizeof(int32_t)},
                                     {s.rule.amount, s.rule.amount == nullptr ? 0 : rows * sizeof(float)},
                                     {s.rule.limit, s.rule.limit == nullptr ? 0 : rows * sizeof(int32_t)},
                                     {s.out.weight, s.out.masked == nullptr ? 0 : all * sizeof(float)}};
  std::vector<Output> outputs;
  for (const char* name : {"index", "count", "masked", "mask"})
    if (!o.Get(name).IsUndefined()) outputs.push_back({o.Get(name), true});
  return run_async(info.Env(), inputs, outputs, CancelToken::flag_of(info[1]),
                   [s](const void* const* in, void* const* out, const std::atomic<bool>* cancel) {
                     RowSelection copy = s;
                     copy.scores = static_cast<const float*>(in[0]);
                     copy.rule.k = static_cast<const int32_t*>(in[1]);
                     copy.rule.amount = static_cast<const float*>(in[2]);
                     copy.rule.limit = static_cast<const int32_t*>(in[3]);
                     copy.out.weight = static_cast<const float*>(in[4]);
                     copy.cancel = cancel;
                     if (s.lists) {
                       copy.index = static_cast<int32_t*>(out[0]);
                       copy.count = static_cast<int32_t*>(out[1]);
                     } else if (s.out.masked != nullptr) {
                       copy.out.masked = static_cast<float*>(out[0]);
                     } else {
                       copy.out.mask = static_cast<uint8_t*>(out[0]);
                     }
                     return select_rows(copy);
                   });
}

void define(Napi::Env env, Napi::Object exports) {
  exports.Set("selectGroups", Napi::Function::New(env, groups, "selectGroups"));
  exports.Set("selectRows", Napi::Function::New(env, rows_async, "selectRows"));
  exports.Set("selectRowsSync", Napi::Function::New(env, rows_sync, "selectRowsSync"));
  define_select_cuda(env, exports);
}

std::vector<KernelRow> rows() {
  std::vector<KernelRow> rows = select_kernels();
  for (KernelRow& row : select_cuda_kernels()) rows.push_back(std::move(row));
  return rows;
}

}  // namespace

const Verb kSelect = {&define, &rows};

}  // namespace sk::napi
