#include "attend_napi.h"

#include <algorithm>
#include <utility>

#include "../attend/cuda/plan.h"
#include "args.h"
#include "kvcache_object.h"
#include "plan_object.h"
#include "run.h"
#include "verbs.h"

namespace sk::napi {
namespace {

constexpr int64_t kMost = (int64_t{1} << 31) - 1, kMostUnits = 1 << 20;

float number(const Napi::Value& value, const char* name) {
  if (!value.IsNumber()) throw type_error(value.Env(), std::string("expected ") + name + " to be a number");
  return value.As<Napi::Number>().FloatValue();
}

ListsView lists(const Napi::Value& value, const char* name) {
  if (value.IsUndefined()) return {};
  const Napi::Object o = object(value, name);
  const auto start = span<int32_t>(o.Get("start"), "start"), count = span<int32_t>(o.Get("count"), "count");
  const auto index = span<int32_t>(o.Get("index"), "index");
  expect_length(value.Env(), count.length, "count", 1, start.length);
  return {start.data, count.data, index.data, start.length, index.length};
}

}  // namespace

AttendOptions attend_options(const Napi::Value& value) {
  const Napi::Object o = object(value, "options");
  AttendOptions options;
  options.batch = integer(o.Get("batch"), "batch", 1, kMostUnits);
  options.heads = integer(o.Get("heads"), "heads", 1, kMostUnits);
  options.kv_heads = integer(o.Get("kvHeads"), "kvHeads", 1, kMostUnits);
  options.head_dim = integer(o.Get("headDim"), "headDim", 1, kMost);
  options.queries = integer(o.Get("queries"), "queries", 1, kMost);
  options.keys = integer(o.Get("keys"), "keys", 0, kMost);
  options.tokens_outside = o.Get("tokensOutside").ToBoolean();
  options.head_sets = static_cast<HeadSets>(integer(o.Get("headSets"), "headSets", 0, 2));
  options.lists_batch = integer(o.Get("listsBatch"), "listsBatch", 1, kMostUnits);
  options.block_queries = integer(o.Get("blockQueries"), "blockQueries", 1, kMost);
  options.block_keys = integer(o.Get("blockKeys"), "blockKeys", 1, kMost);
  options.token_ids = o.Get("tokenIds").ToBoolean();
  options.tiles = lists(o.Get("tiles"), "tiles");
  options.full_tiles = lists(o.Get("fullTiles"), "fullTiles");
  options.columns = lists(o.Get("columns"), "columns");
  options.validate = o.Get("validate").ToBoolean();
  options.causal = o.Get("causal").ToBoolean();
  options.window = integer(o.Get("window"), "window", 0, kMost);
  options.sink_tokens = integer(o.Get("sinkTokens"), "sinkTokens", 0, kMost);
  options.scale = number(o.Get("scale"), "scale");
  options.softcap = number(o.Get("softcap"), "softcap");
  options.pv_skip = number(o.Get("pvSkip"), "pvSkip");
  options.dtype = text(o.Get("dtype"), "dtype");
  options.isa = text(o.Get("isa"), "isa");
  options.threads = static_cast<int>(integer(o.Get("threads"), "threads", 0, 1024));
  return options;
}

namespace {

class AttendPlanObject : public PlanObject<AttendPlanObject, AttendPlan> {
 public:
  static Napi::Function define(Napi::Env env) {
    return define_class(env, "AttendPlan",
                        {InstanceMethod<&AttendPlanObject::run>("run"), InstanceMethod<&AttendPlanObject::run_sync>("runSync"),
                         InstanceAccessor<&AttendPlanObject::listed>("listed")});
  }

  explicit AttendPlanObject(const Napi::CallbackInfo& info) : Base(info) {
    const Napi::Env env = info.Env();
    std::shared_ptr<const AttendPlan> plan;
    if (const Status status = AttendPlan::create(attend_options(info[0]), &plan); !status.ok()) throw to_error(env, status);
    adopt(env, std::move(plan));
  }

 private:
  using Snapshots = std::vector<std::shared_ptr<const KvCache::Snapshot>>;

  // A call's arguments, decoded and checked. Operands in memory of JavaScript are named by `inputs`, in the order of bind().
  struct Call {
    AttendOperands operands = {};
    std::vector<Input> inputs;
    std::vector<Output> outputs;
    std::shared_ptr<Snapshots> caches;
    std::vector<int32_t> cache_lengths;
  };

  // Element counts of q and of k for the units of a call.
  Call decode(const Napi::CallbackInfo& info) const {
    const Napi::Env env = info.Env();
    const AttendPlan& plan = *live(env);
    const AttendOptions& o = plan.options();
    const Napi::Object in = object(info[0], "operands");
    Call call;
    AttendOperands& x = call.operands;
    const int64_t all = o.batch * o.kv_heads;
    x.first_unit = integer(in.Get("firstUnit"), "firstUnit", 0, all - 1);
    x.units = integer(in.Get("units"), "units", 1, all - x.first_unit);
    if (o.tokens_outside && x.units != all) throw to_error(env, Status(Code::kShape, "expected all units where tokens are outside"));
    const int64_t element = static_cast<int64_t>(plan.element_bytes());
    const int64_t states = x.units * (o.heads / o.kv_heads) * o.queries;

    const auto add = [&](const char* name, int64_t rows, int64_t columns) {
      const Bytes bytes = bytes_of(in.Get(name), name);
      expect_length(env, static_cast<int64_t>(bytes.bytes), name, rows, columns);
      call.inputs.push_back({bytes.data, bytes.bytes});
    };
    const auto optional = [&](const char* name, int64_t rows, int64_t columns) {
      if (!in.Get(name).IsUndefined()) return add(name, rows, columns), true;
      call.inputs.push_back({nullptr, 0});
      return false;
    };
    const auto per_batch = [&](const char* name, int64_t columns) {
      const Napi::Value value = in.Get(name);
      const bool batched = o.batch > 1 && !value.IsUndefined() && span<int32_t>(value, name).length == o.batch * columns;
      optional(name, batched ? o.batch : 1, columns * 4);
      return batched;
    };
    add("q", states, o.head_dim * element);
    if (in.Get("caches").IsUndefined()) {
      add("k", x.units * o.keys, o.head_dim * element);
      add("v", x.units * o.keys, o.head_dim * element);
    } else {
      call.inputs.resize(3, {nullptr, 0});
      add_caches(in.Get("caches"), plan, call);
    }
    x.query_positions_per_batch = per_batch("queryPositions", o.queries);
    x.key_positions_per_batch = per_batch("keyPositions", o.keys);
    if (optional("keyLengths", o.batch, 4)) {
      const auto lengths = span<int32_t>(in.Get("keyLengths"), "keyLengths");
      if (!std::all_of(lengths.data, lengths.data + lengths.length, [&](int32_t n) { return n >= 0 && n <= o.keys; }))
        throw to_error(env, Status(Code::kShape, "expected keyLengths from 0 to " + std::to_string(o.keys)));
      if (call.caches) throw to_error(env, Status(Code::kShape, "expected no keyLengths: caches have their own"));
    }
    const Napi::Value bias = in.Get("keyBias");
    if (!bias.IsUndefined()) {
      const int64_t length = span<float>(bias, "keyBias").length;
      x.key_bias_rows = length == o.keys ? 1 : length == o.kv_heads * o.keys ? o.kv_heads : all;
    }
    optional("keyBias", x.key_bias_rows, o.keys * 4);
    optional("sink", o.heads, 4);
    if (optional("initialOutput", states, o.head_dim * 4))
      add("initialLse", states, 4);
    else
      call.inputs.push_back({nullptr, 0});
    x.log_weight = number(in.Get("logWeight"), "logWeight");

    const bool is_private = in.Get("privateResults").ToBoolean();
    const auto result = [&](const char* name, int64_t columns) {
      expect_length(env, span<float>(in.Get(name), name).length, name, states, columns);
      call.outputs.push_back({in.Get(name), is_private});
    };
    result("output", o.head_dim);
    result("lse", 1);
    if (!in.Get("rowMax").IsUndefined()) result("rowMax", 1);
    return call;
  }

  static void add_caches(const Napi::Value& value, const AttendPlan& plan, Call& call) {
    const AttendOptions& o = plan.options();
    const Napi::Env env = value.Env();
    if (!value.IsArray() || value.As<Napi::Array>().Length() != o.batch)
      throw to_error(env, Status(Code::kShape, "expected one cache for each of " + std::to_string(o.batch) + " batch entries"));
    call.caches = std::make_shared<Snapshots>();
    for (uint32_t b = 0; b < o.batch; ++b) {
      const KvCache& cache = kv_cache_of(value.As<Napi::Array>().Get(b));
      const KvShape& s = cache.shape();
      const int64_t page_tokens = b == 0 ? s.page_tokens : call.operands.source.page_tokens;
      if (s.kv_heads != o.kv_heads || s.head_dim != o.head_dim || s.element_bytes != static_cast<int64_t>(plan.element_bytes()) ||
          s.page_tokens != page_tokens)
        throw to_error(env, Status(Code::kShape, "expected caches of the plan's kvHeads, headDim and dtype, with pages of one size"));
      if (cache.length() > o.keys)
        throw to_error(env, Status(Code::kShape, "expected a cache of at most " + std::to_string(o.keys) + " tokens but received " +
                                                     std::to_string(cache.length())));
      call.operands.source.page_tokens = page_tokens;
      call.caches->push_back(cache.snapshot());
      call.cache_lengths.push_back(static_cast<int32_t>(cache.length()));
    }
  }

  // Runs with inputs and outputs at these places, in the order of decode().
  static Status execute(const AttendPlan& plan, AttendOperands x, const Snapshots* caches, const std::vector<int32_t>& cache_lengths,
                        const void* const* in, void* const* out, const std::atomic<bool>* cancel) {
    const auto floats = [&](int i) { return static_cast<const float*>(in[i]); };
    const auto ints = [&](int i) { return static_cast<const int32_t*>(in[i]); };
    x.q = in[0], x.source.k = in[1], x.source.v = in[2];
    x.query_positions = ints(3), x.key_positions = ints(4), x.key_lengths = ints(5);
    x.key_bias = floats(6), x.sink = floats(7), x.initial_output = floats(8), x.initial_lse = floats(9);
    std::vector<const void* const*> pages;
    if (caches != nullptr) {
      for (const auto& snapshot : *caches) pages.push_back(snapshot->data.data());
      x.source.pages = pages.data();
      x.key_lengths = cache_lengths.data();
    }
    return plan.run(x, {static_cast<float*>(out[0]), static_cast<float*>(out[1]), static_cast<float*>(out[2])}, cancel);
  }

  // run(operands, cancelToken | undefined) -> Promise<void>
  Napi::Value run(const Napi::CallbackInfo& info) {
    Call call = decode(info);
    const bool row_max = call.outputs.size() > 2;
    return run_async(info.Env(), call.inputs, call.outputs, CancelToken::flag_of(info[1]),
                     [plan = live(info.Env()), x = call.operands, caches = call.caches, lengths = call.cache_lengths, row_max](
                         const void* const* in, void* const* out, const std::atomic<bool>* cancel) {
                       void* const results[] = {out[0], out[1], row_max ? out[2] : nullptr};
                       return execute(*plan, x, caches.get(), lengths, in, results, cancel);
                     });
  }

  // runSync(operands)
  Napi::Value run_sync(const Napi::CallbackInfo& info) {
    const Call call = decode(info);
    std::vector<const void*> in;
    for (const Input& input : call.inputs) in.push_back(input.data);
    void* out[3] = {};
    for (size_t i = 0; i < call.outputs.size(); ++i) out[i] = bytes_of(call.outputs[i].array, "out").data;
    const Status status = execute(*live(info.Env()), call.operands, call.caches.get(), call.cache_lengths, in.data(), out, nullptr);
    if (!status.ok()) throw to_error(info.Env(), status);
    return info.Env().Undefined();
  }

  // Pairs of query and key that the lists name, for all query heads of one or all batch entries.
  Napi::Value listed(const Napi::CallbackInfo& info) {
    return Napi::Number::New(info.Env(), static_cast<double>(live(info.Env())->listed()));
  }
};

std::vector<KernelRow> all_kernels() {
  std::vector<KernelRow> rows = attend_kernels();
  for (KernelRow& row : attend_cuda_kernels()) rows.push_back(std::move(row));
  return rows;
}

}  // namespace

const Verb kAttend = {[](Napi::Env env, Napi::Object exports) {
                        exports.Set("AttendPlan", AttendPlanObject::define(env));
                        define_attend_cuda(env, exports);
                        exports.Set("KvCache", define_kv_cache(env));
                        exports.Set("attendMerge", Napi::Function::New(env, attend_merge));
                      },
                      &all_kernels};

}  // namespace sk::napi
