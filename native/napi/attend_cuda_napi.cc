#include <algorithm>

#include "../attend/cuda/merge.h"
#include "../attend/cuda/plan.h"
#include "../attend/cuda/vertical_slash.h"
#include "attend_napi.h"
#include "device_call.h"
#include "plan_object.h"

namespace sk::napi {
namespace {

// A host operand of a run that may be absent: bytes for run_async, and how many elements there are.
template <class T>
int64_t optional_input(const Napi::Object& in, const char* name, std::initializer_list<int64_t> lengths, std::vector<Input>* inputs) {
  const Napi::Value value = in.Get(name);
  if (value.IsUndefined()) {
    inputs->push_back({nullptr, 0});
    return 0;
  }
  const auto data = span<T>(value, name);
  if (std::find(lengths.begin(), lengths.end(), data.length) == lengths.end())
    throw to_error(in.Env(),
                   Status(Code::kShape, std::string("expected ") + name + " of another length than " + std::to_string(data.length)));
  inputs->push_back({data.data, static_cast<size_t>(data.length) * sizeof(T)});
  return data.length;
}

// Kinds of lists that runs bring: their most ids a row by name; undefined: the plan has them.
AttendCudaCapacity capacity_of(const Napi::Value& value) {
  AttendCudaCapacity capacity;
  const Napi::Object o = object(value, "capacity");
  const auto read = [&](const char* name, int64_t* to) {
    if (!o.Get(name).IsUndefined()) *to = integer(o.Get(name), name, 0, INT32_MAX);
  };
  read("tiles", &capacity.tiles), read("fullTiles", &capacity.full_tiles), read("columns", &capacity.columns);
  return capacity;
}

class AttendCudaPlanObject : public PlanObject<AttendCudaPlanObject, AttendCudaPlan> {
 public:
  static Napi::Function define(Napi::Env env) {
    return define_class(env, "AttendCudaPlan",
                        {InstanceMethod<&AttendCudaPlanObject::run>("run"), InstanceAccessor<&AttendCudaPlanObject::listed>("listed")});
  }

  // new AttendCudaPlan(options, capacity): options of AttendPlan
  explicit AttendCudaPlanObject(const Napi::CallbackInfo& info) : Base(info) {
    const Napi::Env env = info.Env();
    std::shared_ptr<const AttendCudaPlan> plan;
    const Status status =
        AttendCudaPlan::create(env.GetInstanceData<Addon>()->cuda(env), attend_options(info[0]), capacity_of(info[1]), &plan);
    if (!status.ok()) throw to_error(env, status);
    adopt(env, std::move(plan));
  }

 private:
  // run({ q, k, v, output, lse, ... }, call) -> Promise<void>; those, initialOutput, initialLse, rowMax and pageTable
  // are DeviceArrays, the others arrays of the host
  Napi::Value run(const Napi::CallbackInfo& info) {
    const Napi::Env env = info.Env();
    const auto plan = live(env);
    const AttendOptions& o = plan->options();
    const Napi::Object in = object(info[0], "operands");
    const DType type = o.dtype == "float16" ? DType::kFloat16 : DType::kBFloat16;
    const int64_t states = o.batch * o.heads * o.queries;
    DeviceCall call(in, info[1]);
    AttendCudaOperands operands = {};
    int64_t tokens = o.batch * o.keys;
    if (!in.Get("pageTable").IsUndefined()) {
      operands.page_tokens = integer(in.Get("pageTokens"), "pageTokens", 1, 1 << 16);
      operands.pages = integer(in.Get("pages"), "pages", 0, (int64_t{1} << 30) / operands.page_tokens / o.kv_heads);
      operands.page_table = call.optional("pageTable", kInt32Bytes, o.batch, (o.keys + operands.page_tokens - 1) / operands.page_tokens);
      tokens = operands.pages * operands.page_tokens;
    }
    operands.q = call.get("q", type, states, o.head_dim);
    operands.k = call.get("k", type, tokens * o.kv_heads, o.head_dim), operands.v = call.get("v", type, tokens * o.kv_heads, o.head_dim);
    operands.output = call.out("output", DType::kFloat32, states, o.head_dim), operands.lse = call.out("lse", DType::kFloat32, states, 1);
    operands.row_max = call.optional_out("rowMax", DType::kFloat32, states, 1);
    operands.initial_lse = call.optional("initialLse", DType::kFloat32, states, 1);
    if (operands.initial_lse) operands.initial_output = call.get("initialOutput", DType::kFloat32, states, o.head_dim);
    const auto rows = [&](int64_t capacity, const char* count, const char* index, AttendCudaRows* to) {
      if (capacity < 0) return;
      *to = {call.get(count, kInt32Bytes, plan->list_rows(), 1), call.get(index, kInt32Bytes, plan->list_rows(), capacity)};
    };
    rows(plan->capacity().tiles, "tilesCount", "tilesIndex", &operands.tiles);
    rows(plan->capacity().full_tiles, "fullTilesCount", "fullTilesIndex", &operands.full_tiles);
    rows(plan->capacity().columns, "columnsCount", "columnsIndex", &operands.columns);
    std::vector<Input> inputs;
    AttendCudaExtras extras;
    extras.query_positions_length = optional_input<int32_t>(in, "queryPositions", {o.queries, o.batch * o.queries}, &inputs);
    extras.key_positions_length = optional_input<int32_t>(in, "keyPositions", {o.keys, o.batch * o.keys}, &inputs);
    if (optional_input<int32_t>(in, "keyLengths", {o.batch}, &inputs) > 0) {
      const auto lengths = span<int32_t>(in.Get("keyLengths"), "keyLengths");
      if (!std::all_of(lengths.data, lengths.data + lengths.length, [&](int32_t n) { return n >= 0 && n <= o.keys; }))
        throw to_error(env, Status(Code::kShape, "expected keyLengths from 0 to " + std::to_string(o.keys)));
    }
    const int64_t bias = optional_input<float>(in, "keyBias", {o.keys, o.kv_heads * o.keys, o.batch * o.kv_heads * o.keys}, &inputs);
    if (bias > 0) extras.key_bias_rows = bias / o.keys;
    optional_input<float>(in, "sink", {o.heads}, &inputs);
    extras.log_weight = in.Get("logWeight").ToNumber().FloatValue();
    return call.finish(
        [plan, operands, extras](const void* const* in) {
          AttendCudaExtras x = extras;
          x.query_positions = static_cast<const int32_t*>(in[0]);
          x.key_positions = static_cast<const int32_t*>(in[1]);
          x.key_lengths = static_cast<const int32_t*>(in[2]);
          x.key_bias = static_cast<const float*>(in[3]);
          x.sink = static_cast<const float*>(in[4]);
          return plan->run(operands, x);
        },
        inputs);
  }

  Napi::Value listed(const Napi::CallbackInfo& info) {
    return Napi::Number::New(info.Env(), static_cast<double>(live(info.Env())->listed()));
  }
};

// verticalSlashCuda({ sequences, queries, keys, blockQueries, blockKeys, verticalCapacity, slashCapacity, tilesCapacity, columnsCapacity,
//                     verticalCount, verticalIndex, slashCount, ..., columnsIndex }, call) -> Promise<void>
Napi::Value vertical_slash_cuda(const Napi::CallbackInfo& info) {
  const Napi::Object o = object(info[0], "options");
  DeviceCall arrays(o, info[1]);
  VerticalSlashCudaRun run = {};
  const auto size = [&](const char* name, int64_t low) { return static_cast<int32_t>(integer(o.Get(name), name, low, INT32_MAX)); };
  run.sequences = size("sequences", 0);
  run.queries = size("queries", 1), run.keys = size("keys", 0);
  run.block_queries = size("blockQueries", 1), run.block_keys = size("blockKeys", 1);
  const int64_t rows = run.sequences * ((run.queries + int64_t{run.block_queries} - 1) / run.block_queries);
  const auto lists = [&](auto find, const std::string& name, int64_t count, auto* to) {
    to->capacity = size((name + "Capacity").c_str(), 0);
    to->count = (arrays.*find)((name + "Count").c_str(), kInt32Bytes, count, 1)->template as<int32_t>();
    to->index = (arrays.*find)((name + "Index").c_str(), kInt32Bytes, count, to->capacity)->template as<int32_t>();
  };
  lists(&DeviceCall::get, "vertical", run.sequences, &run.vertical), lists(&DeviceCall::get, "slash", run.sequences, &run.slash);
  lists(&DeviceCall::out, "tiles", rows, &run.tiles), lists(&DeviceCall::out, "columns", rows, &run.columns);
  return arrays.queue([run](const std::shared_ptr<const CudaDevice>& device) { return vertical_slash_on_cuda(*device, run); });
}

// attendMergeCuda({ count, rows, headDim, output0, lse0, .., output, lse }, call) -> Promise<void>
Napi::Value attend_merge_cuda(const Napi::CallbackInfo& info) {
  const Napi::Object o = object(info[0], "options");
  DeviceCall arrays(o, info[1]);
  AttendMergeRun run = {};
  run.count = static_cast<int>(integer(o.Get("count"), "count", 1, kMostMerged));
  run.rows = integer(o.Get("rows"), "rows", 0, INT32_MAX), run.head_dim = integer(o.Get("headDim"), "headDim", 0, INT32_MAX);
  for (int i = 0; i < run.count; ++i) {
    const std::string number = std::to_string(i);
    run.output[i] = arrays.get(("output" + number).c_str(), DType::kFloat32, run.rows, run.head_dim)->as<float>();
    run.lse[i] = arrays.get(("lse" + number).c_str(), DType::kFloat32, run.rows, 1)->as<float>();
  }
  run.merged = arrays.out("output", DType::kFloat32, run.rows, run.head_dim)->as<float>();
  run.merged_lse = arrays.out("lse", DType::kFloat32, run.rows, 1)->as<float>();
  return arrays.queue([run](const std::shared_ptr<const CudaDevice>& device) { return attend_merge_on_cuda(*device, run); });
}

}  // namespace

void define_attend_cuda(Napi::Env env, Napi::Object exports) {
  exports.Set("AttendCudaPlan", AttendCudaPlanObject::define(env));
  exports.Set("attendMergeCuda", Napi::Function::New(env, attend_merge_cuda, "attendMergeCuda"));
  exports.Set("verticalSlashCuda", Napi::Function::New(env, vertical_slash_cuda, "verticalSlashCuda"));
}

}  // namespace sk::napi
