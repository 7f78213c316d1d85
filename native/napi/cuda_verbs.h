// What verbs without plans add to the addon for a device: functions that put work on its stream and do not wait for it.
#pragma once

#include <napi.h>

#include <atomic>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "addon.h"
#include "device_array.h"
#include "run.h"

namespace sk::napi {

void define_map_cuda(Napi::Env env, Napi::Object exports);
void define_mapreduce_cuda(Napi::Env env, Napi::Object exports);
void define_pool_cuda(Napi::Env env, Napi::Object exports);
void define_score_cuda(Napi::Env env, Napi::Object exports);
void define_select_cuda(Napi::Env env, Napi::Object exports);

// The device arrays of one call: members of an options object. A share of each is held until the work is on the stream; what is freed
// later is freed behind it.
class DeviceArrays {
 public:
  explicit DeviceArrays(const Napi::Object& options) : options_(options) {}

  // Null where the member is undefined.
  const CudaBuffer* optional(const char* name, DType type, int64_t rows, int64_t columns) {
    const Napi::Value value = options_.Get(name);
    if (value.IsUndefined()) return nullptr;
    held_->push_back(DeviceArray::buffer_of(value, type, rows, columns, name));
    return held_->back().get();
  }
  const CudaBuffer* get(const char* name, DType type, int64_t rows, int64_t columns) {
    const CudaBuffer* buffer = optional(name, type, rows, columns);
    if (!buffer) throw type_error(options_.Env(), std::string("expected ") + name);
    return buffer;
  }

  // Calls `work` with the device on a libuv thread; a promise of undefined.
  template <class Work>
  Napi::Value run(const Napi::Value& cancel, Work work) {
    const Napi::Env env = options_.Env();
    return run_async(env, {}, {}, CancelToken::flag_of(cancel),
                     [device = env.GetInstanceData<Addon>()->cuda(env), held = held_, work = std::move(work)](
                         const void* const*, void* const*, const std::atomic<bool>* cancelled) {
                       if (cancelled && cancelled->load(std::memory_order_relaxed)) return Status(Code::kAborted, "the run was aborted");
                       return work(device);
                     });
  }

 private:
  Napi::Object options_;
  std::shared_ptr<std::vector<std::shared_ptr<CudaBuffer>>> held_ = std::make_shared<std::vector<std::shared_ptr<CudaBuffer>>>();
};

// int32 arrays are as large.
constexpr DType kInt32Bytes = DType::kFloat32;

inline DType float_type(const Napi::Value& value, const char* name) { return static_cast<DType>(integer(value, name, 0, 2)); }

}  // namespace sk::napi
