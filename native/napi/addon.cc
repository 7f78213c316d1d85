#include "addon.h"

#include "../core/cpu.h"
#include "../core/huge_pages.h"
#include "../core/memory.h"
#include "../core/parallel.h"
#include "args.h"
#include "cancel.h"
#include "verbs.h"

namespace sk::napi {
namespace {

const Verb* const kVerbs[] = {&kSpmm, &kKhot,  &kSddmm,    &kSelect,    &kMap,  &kMapmm,  &kPlanes,
                              &kPool, &kScore, &kMapouter, &kMapreduce, &kNorm, &kAttend, &kCuda};

Napi::Object to_object(Napi::Env env, const KernelRow& row) {
  const Napi::Object o = Napi::Object::New(env);
  o.Set("name", row.name);
  o.Set("verb", row.verb);
  o.Set("dtype", row.dtype);
  o.Set("pattern", row.pattern);
  o.Set("isa", row.isa);
  o.Set("lanes", row.lanes);
  o.Set("supported", row.supported);
  return o;
}

// adviseHugePages(array): before anything is written to a large new array
void advise_pages(const Napi::CallbackInfo& info) {
  const Bytes memory = bytes_of(info[0], "array");
  advise_huge_pages(memory.data, memory.bytes);
}

// lineOffset(array): bytes from the start of a cache line to that of the array
Napi::Value line_offset(const Napi::CallbackInfo& info) {
  return Napi::Number::New(info.Env(), static_cast<double>(reinterpret_cast<uintptr_t>(bytes_of(info[0], "array").data) % kAlignment));
}

}  // namespace

Addon::Addon(Napi::Env env, Napi::Object exports) {
  ThreadPool::instance().retain();
  DefineAddon(exports, {
                           InstanceValue("CancelToken", CancelToken::define(env)),
                           InstanceMethod("kernels", &Addon::kernels),
                           InstanceMethod("isas", &Addon::isas),
                           InstanceMethod("getNumThreads", &Addon::get_num_threads),
                           InstanceMethod("setNumThreads", &Addon::set_num_threads),
                           InstanceMethod("physicalParallelism", &Addon::physical),
                       });
  exports.Set("adviseHugePages", Napi::Function::New(env, advise_pages, "adviseHugePages"));
  exports.Set("lineOffset", Napi::Function::New(env, line_offset, "lineOffset"));
  for (const Verb* verb : kVerbs) verb->define(env, exports);
}

Addon::~Addon() { ThreadPool::instance().release(); }

RunQueue& Addon::runs(Napi::Env env) {
  if (!runs_) runs_ = std::make_unique<RunQueue>(env);
  return *runs_;
}

Status Addon::open_cuda(std::shared_ptr<const CudaDevice>* device) {
  Status status = cuda_ ? Status() : CudaDevice::open(&cuda_);
  *device = cuda_;
  return status;
}

std::shared_ptr<const CudaDevice> Addon::cuda(Napi::Env env) {
  std::shared_ptr<const CudaDevice> device;
  if (const Status status = open_cuda(&device); !status.ok()) throw to_error(env, status);
  return device;
}

Napi::Value Addon::kernels(const Napi::CallbackInfo& info) {
  const Napi::Array rows = Napi::Array::New(info.Env());
  for (const Verb* verb : kVerbs)
    if (verb->kernels != nullptr)
      for (const KernelRow& row : verb->kernels()) rows.Set(rows.Length(), to_object(info.Env(), row));
  return rows;
}

Napi::Value Addon::isas(const Napi::CallbackInfo& info) {
  const Napi::Array names = Napi::Array::New(info.Env());
  for (const Isa isa : kIsas)
    if (isa != Isa::kScalar16 && isa_supported(isa)) names.Set(names.Length(), isa_name(isa));
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
