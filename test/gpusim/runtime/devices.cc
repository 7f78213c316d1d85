// The device as programs see it: count, properties, attributes, limits.
#include <cstdio>
#include <cstring>

#include "../memory/device_memory.h"
#include "runtime.h"

using namespace gpusim;

namespace {

constexpr int kVersion = 13000;

cudaError_t only_device(int device) { return device == 0 ? cudaSuccess : set_error(cudaErrorInvalidDevice); }

bool attribute_value(const DeviceModel& m, cudaDeviceAttr attribute, int* value) {
  const auto is = [value](size_t v) { return *value = static_cast<int>(v), true; };
  switch (attribute) {
    case cudaDevAttrMaxThreadsPerBlock:
    case cudaDevAttrMaxBlockDimX:
    case cudaDevAttrMaxBlockDimY: return is(kMaxThreadsPerBlock);
    case cudaDevAttrMaxBlockDimZ: return is(64);
    case cudaDevAttrMaxGridDimX: return is(0x7fffffff);
    case cudaDevAttrMaxGridDimY:
    case cudaDevAttrMaxGridDimZ: return is(65535);
    case cudaDevAttrMaxSharedMemoryPerBlock: return is(kSharedPerBlock);
    case cudaDevAttrMaxSharedMemoryPerBlockOptin: return is(m.shared_per_block_optin);
    case cudaDevAttrMaxSharedMemoryPerMultiprocessor: return is(m.shared_per_sm);
    case cudaDevAttrReservedSharedMemoryPerBlock: return is(kReservedPerBlock);
    case cudaDevAttrTotalConstantMemory: return is(65536);
    case cudaDevAttrWarpSize: return is(32);
    case cudaDevAttrMaxPitch: return is(0x7fffffff);
    case cudaDevAttrMaxRegistersPerBlock:
    case cudaDevAttrMaxRegistersPerMultiprocessor: return is(kRegistersPerSm);
    case cudaDevAttrClockRate: return is(1410000);
    case cudaDevAttrMemoryClockRate: return is(1215000);
    case cudaDevAttrGlobalMemoryBusWidth: return is(static_cast<size_t>(m.bus_width));
    case cudaDevAttrL2CacheSize: return is(m.l2_bytes);
    case cudaDevAttrMaxPersistingL2CacheSize: return is(m.l2_bytes * 3 / 4);
    case cudaDevAttrMultiProcessorCount: return is(static_cast<size_t>(m.sm_count));
    case cudaDevAttrMaxThreadsPerMultiProcessor: return is(static_cast<size_t>(m.threads_per_sm));
    case cudaDevAttrMaxBlocksPerMultiprocessor: return is(static_cast<size_t>(m.blocks_per_sm));
    case cudaDevAttrComputeCapabilityMajor: return is(static_cast<size_t>(m.major));
    case cudaDevAttrComputeCapabilityMinor: return is(static_cast<size_t>(m.minor));
    case cudaDevAttrTextureAlignment: return is(512);
    case cudaDevAttrTexturePitchAlignment: return is(32);
    case cudaDevAttrGpuOverlap:
    case cudaDevAttrCanMapHostMemory:
    case cudaDevAttrConcurrentKernels:
    case cudaDevAttrUnifiedAddressing:
    case cudaDevAttrManagedMemory:
    case cudaDevAttrStreamPrioritiesSupported:
    case cudaDevAttrGlobalL1CacheSupported:
    case cudaDevAttrLocalL1CacheSupported:
    case cudaDevAttrConcurrentManagedAccess:
    case cudaDevAttrComputePreemptionSupported:
    case cudaDevAttrCanUseHostPointerForRegisteredMem:
    case cudaDevAttrCooperativeLaunch:
    case cudaDevAttrHostRegisterSupported:
    case cudaDevAttrMemoryPoolsSupported: return is(1);
    case cudaDevAttrAsyncEngineCount: return is(3);
    case cudaDevAttrIntegrated:
    case cudaDevAttrKernelExecTimeout:
    case cudaDevAttrComputeMode:
    case cudaDevAttrEccEnabled:
    case cudaDevAttrPciBusId:
    case cudaDevAttrPciDeviceId:
    case cudaDevAttrPciDomainId:
    case cudaDevAttrTccDriver:
    case cudaDevAttrIsMultiGpuBoard:
    case cudaDevAttrMultiGpuBoardGroupID:
    case cudaDevAttrHostNativeAtomicSupported:
    case cudaDevAttrPageableMemoryAccess:
    case cudaDevAttrPageableMemoryAccessUsesHostPageTables:
    case cudaDevAttrDirectManagedMemAccessFromHost:
    case cudaDevAttrClusterLaunch: return is(0);
    case cudaDevAttrSingleToDoublePrecisionPerfRatio: return is(m.minor == 6 ? 32 : 2);
    default: return false;
  }
}

}  // namespace

extern "C" {

cudaError_t cudaGetDeviceCount(int* count) { return *count = 1, cudaSuccess; }
cudaError_t cudaGetDevice(int* device) { return *device = 0, cudaSuccess; }
cudaError_t cudaSetDevice(int device) { return only_device(device); }
cudaError_t cudaInitDevice(int device, unsigned, unsigned) { return only_device(device); }
cudaError_t cudaChooseDevice(int* device, const cudaDeviceProp*) { return *device = 0, cudaSuccess; }
cudaError_t cudaSetValidDevices(int*, int) { return cudaSuccess; }
cudaError_t cudaSetDeviceFlags(unsigned flags) {
  Call call;
  return call.rt.device_flags = flags, cudaSuccess;
}
cudaError_t cudaGetDeviceFlags(unsigned* flags) {
  Call call;
  return *flags = call.rt.device_flags, cudaSuccess;
}
cudaError_t cudaDriverGetVersion(int* version) { return *version = kVersion, cudaSuccess; }
cudaError_t cudaRuntimeGetVersion(int* version) { return *version = kVersion, cudaSuccess; }

cudaError_t cudaDeviceGetAttribute(int* value, cudaDeviceAttr attribute, int device) {
  if (device != 0) return set_error(cudaErrorInvalidDevice);
  if (attribute_value(device_model(), attribute, value)) return cudaSuccess;
  return complain(cudaErrorInvalidValue,
                  "cudaDeviceGetAttribute: attribute " + std::to_string(attribute) + " is not known to the simulator");
}

cudaError_t cudaGetDeviceProperties(cudaDeviceProp* p, int device) {
  if (device != 0) return set_error(cudaErrorInvalidDevice);
  const DeviceModel& m = device_model();
  std::memset(p, 0, sizeof *p);
  std::snprintf(p->name, sizeof p->name, "%s", m.full_name);
  p->totalGlobalMem = memory_bytes();
  p->sharedMemPerBlock = kSharedPerBlock;
  p->sharedMemPerBlockOptin = m.shared_per_block_optin;
  p->sharedMemPerMultiprocessor = m.shared_per_sm;
  p->reservedSharedMemPerBlock = kReservedPerBlock;
  p->regsPerBlock = p->regsPerMultiprocessor = kRegistersPerSm;
  p->warpSize = 32;
  p->memPitch = 0x7fffffff;
  p->maxThreadsPerBlock = p->maxThreadsDim[0] = p->maxThreadsDim[1] = kMaxThreadsPerBlock;
  p->maxThreadsDim[2] = 64;
  p->maxGridSize[0] = 0x7fffffff;
  p->maxGridSize[1] = p->maxGridSize[2] = 65535;
  p->totalConstMem = 65536;
  p->major = m.major;
  p->minor = m.minor;
  p->textureAlignment = 512;
  p->texturePitchAlignment = 32;
  p->multiProcessorCount = m.sm_count;
  p->maxThreadsPerMultiProcessor = m.threads_per_sm;
  p->maxBlocksPerMultiProcessor = m.blocks_per_sm;
  p->canMapHostMemory = p->concurrentKernels = p->unifiedAddressing = p->managedMemory = p->streamPrioritiesSupported = 1;
  p->globalL1CacheSupported = p->localL1CacheSupported = p->concurrentManagedAccess = p->cooperativeLaunch = 1;
  p->hostRegisterSupported = p->memoryPoolsSupported = p->computePreemptionSupported = 1;
  p->asyncEngineCount = 3;
  p->memoryBusWidth = m.bus_width;
  p->l2CacheSize = static_cast<int>(m.l2_bytes);
  return cudaSuccess;
}

cudaError_t cudaDeviceSynchronize() {
  GPUSIM_ENTER(call);
  return call.wait_for_all();
}
cudaError_t cudaDeviceReset() {
  Call call;
  call.wait_for_all();
  call.rt.sticky = cudaSuccess;
  return cudaSuccess;
}
cudaError_t cudaDeviceSetLimit(cudaLimit limit, size_t value) {
  Call call;
  if (limit >= 16) return set_error(cudaErrorInvalidValue);
  return call.rt.limits[limit] = value, cudaSuccess;
}
cudaError_t cudaDeviceGetLimit(size_t* value, cudaLimit limit) {
  Call call;
  if (limit >= 16) return set_error(cudaErrorInvalidValue);
  return *value = call.rt.limits[limit], cudaSuccess;
}
cudaError_t cudaDeviceGetCacheConfig(cudaFuncCache* config) { return *config = cudaFuncCachePreferNone, cudaSuccess; }
cudaError_t cudaDeviceSetCacheConfig(cudaFuncCache) { return cudaSuccess; }
cudaError_t cudaDeviceGetSharedMemConfig(cudaSharedMemConfig* config) { return *config = cudaSharedMemBankSizeFourByte, cudaSuccess; }
cudaError_t cudaDeviceSetSharedMemConfig(cudaSharedMemConfig) { return cudaSuccess; }
cudaError_t cudaDeviceGetStreamPriorityRange(int* least, int* greatest) { return *least = 0, *greatest = -5, cudaSuccess; }
cudaError_t cudaDeviceCanAccessPeer(int* can, int, int) { return *can = 0, cudaSuccess; }
cudaError_t cudaDeviceGetPCIBusId(char* id, int length, int) {
  return std::snprintf(id, static_cast<size_t>(length), "0000:00:00.0"), cudaSuccess;
}
cudaError_t cudaCtxResetPersistingL2Cache() { return cudaSuccess; }
cudaError_t cudaProfilerStart() { return cudaSuccess; }
cudaError_t cudaProfilerStop() { return cudaSuccess; }

}  // extern "C"
