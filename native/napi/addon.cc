#include "addon.h"

#include <utility>

#include "../core/cpu.h"
#include "../core/parallel.h"
#include "args.h"
#include "spmm_napi.h"

namespace sk::napi {

Addon::Addon(Napi::Env env, Napi::Object exports) {
  ThreadPool::instance().retain();
  DefineAddon(exports, {
                           InstanceValue("SpmmPlan", SpmmPlanObject::define(env)),
                           InstanceValue("CancelToken", CancelToken::define(env)),
                           InstanceMethod("kernels", &Addon::kernels),
                           InstanceMethod("isas", &Addon::isas),
                           InstanceMethod("getNumThreads", &Addon::get_num_threads),
                           InstanceMethod("setNumThreads", &Addon::set_num_threads),
                           InstanceMethod("physicalParallelism", &Addon::physical),
                       });
}

Addon::~Addon() { ThreadPool::instance().release(); }

Napi::Value Addon::kernels(const Napi::CallbackInfo& info) { return spmm_kernel_rows(info); }

Napi::Value Addon::isas(const Napi::CallbackInfo& info) {
  const Napi::Array names = Napi::Array::New(info.Env());
  for (const auto& [isa, name] : {std::pair{Isa::kAvx512, "avx512"}, {Isa::kAvx2, "avx2"}, {Isa::kScalar, "scalar"}})
    if (isa_supported(isa)) names.Set(names.Length(), name);
  return names;
}

Napi::Value Addon::get_num_threads(const Napi::CallbackInfo& info) {
  return Napi::Number::New(info.Env(), ThreadPool::instance().threads());
}

void Addon::set_num_threads(const Napi::CallbackInfo& info) {
  ThreadPool::instance().set_threads(static_cast<int>(integer(info[0], "threads", 1, 1024)));
}

Napi::Value Addon::physical(const Napi::CallbackInfo& info) { return Napi::Number::New(info.Env(), physical_parallelism()); }

}  // namespace sk::napi

using SparseKernelsAddon = sk::napi::Addon;
NODE_API_ADDON(SparseKernelsAddon)
