#include "../select/cuda/select.h"
#include "cuda_verbs.h"
#include "device_call.h"

namespace sk::napi {
namespace {

// topKCuda({ scores, rows, columns, k, rowK, limit, limits, sliceRows, wholeRows, first, sink, local, index, count, capacity },
//          call) -> Promise<void>
Napi::Value top_k_cuda(const Napi::CallbackInfo& info) {
  const Napi::Object o = object(info[0], "options");
  DeviceCall arrays(o, info[1]);
  TopKCudaRun run = {};
  const auto size = [&](const char* name) { return static_cast<int32_t>(integer(o.Get(name), name, 0, INT32_MAX)); };
  const auto pointer = [](const CudaBuffer* buffer) { return buffer ? buffer->as<int32_t>() : nullptr; };
  run.rows = size("rows"), run.columns = size("columns");
  run.scores = arrays.get("scores", DType::kFloat32, run.rows, run.columns)->as<float>();
  run.k = size("k");
  run.row_k = pointer(arrays.optional("rowK", kInt32Bytes, run.rows, 1));
  run.limits = integer(o.Get("limits"), "limits", 1, INT32_MAX);
  run.limit = pointer(arrays.optional("limit", kInt32Bytes, run.limits, 1));
  run.slice_rows = integer(o.Get("sliceRows"), "sliceRows", 1, INT32_MAX), run.whole_rows = size("wholeRows");
  run.first = size("first"), run.sink = size("sink"), run.local = size("local");
  run.capacity = size("capacity");
  run.index = arrays.out("index", kInt32Bytes, run.rows, run.capacity)->as<int32_t>();
  run.count = arrays.out("count", kInt32Bytes, run.rows, 1)->as<int32_t>();
  return arrays.queue([run](const std::shared_ptr<const CudaDevice>& device) { return top_k_on_cuda(*device, run); });
}

// maskGroupsCuda({ weight, masked, rows, columns, n, m }, call) -> Promise<void>
Napi::Value mask_groups_cuda(const Napi::CallbackInfo& info) {
  const Napi::Object o = object(info[0], "options");
  DeviceCall arrays(o, info[1]);
  GroupsCudaRun run = {};
  run.rows = integer(o.Get("rows"), "rows", 0, kMaxDimension), run.columns = integer(o.Get("columns"), "columns", 0, kMaxDimension);
  run.n = static_cast<int32_t>(integer(o.Get("n"), "n", 0, 64)), run.m = static_cast<int32_t>(integer(o.Get("m"), "m", 0, 64));
  run.weight = arrays.get("weight", DType::kFloat32, run.rows, run.columns)->as<float>();
  run.masked = arrays.out("masked", DType::kFloat32, run.rows, run.columns)->as<float>();
  return arrays.queue([run](const std::shared_ptr<const CudaDevice>& device) { return mask_groups_on_cuda(*device, run); });
}

}  // namespace

void define_select_cuda(Napi::Env env, Napi::Object exports) {
  exports.Set("topKCuda", Napi::Function::New(env, top_k_cuda, "topKCuda"));
  exports.Set("maskGroupsCuda", Napi::Function::New(env, mask_groups_cuda, "maskGroupsCuda"));
}

}  // namespace sk::napi
