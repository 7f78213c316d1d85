// Error codes, their names and sentences.
#include <cstdio>

#include "runtime.h"

namespace gpusim {
cudaError_t take_last_error(bool reset);
}
using namespace gpusim;

namespace {

struct Row {
  cudaError_t error;
  const char *name, *text;
};
#define GPUSIM_ERROR(code, text) {code, #code, text}
constexpr Row kErrors[] = {
    GPUSIM_ERROR(cudaSuccess, "no error"),
    GPUSIM_ERROR(cudaErrorInvalidValue, "invalid argument"),
    GPUSIM_ERROR(cudaErrorMemoryAllocation, "out of memory"),
    GPUSIM_ERROR(cudaErrorInitializationError, "initialization error"),
    GPUSIM_ERROR(cudaErrorInvalidConfiguration, "invalid configuration argument"),
    GPUSIM_ERROR(cudaErrorInvalidPitchValue, "invalid pitch argument"),
    GPUSIM_ERROR(cudaErrorInvalidSymbol, "invalid device symbol"),
    GPUSIM_ERROR(cudaErrorInvalidMemcpyDirection, "invalid copy direction for memcpy"),
    GPUSIM_ERROR(cudaErrorMissingConfiguration, "__global__ function call is not configured"),
    GPUSIM_ERROR(cudaErrorInvalidDeviceFunction, "invalid device function"),
    GPUSIM_ERROR(cudaErrorNoDevice, "no CUDA-capable device is detected"),
    GPUSIM_ERROR(cudaErrorInvalidDevice, "invalid device ordinal"),
    GPUSIM_ERROR(cudaErrorNoKernelImageForDevice, "no kernel image is available for execution on the device"),
    GPUSIM_ERROR(cudaErrorInvalidPtx, "a PTX JIT compilation failed"),
    GPUSIM_ERROR(cudaErrorInvalidResourceHandle, "invalid resource handle"),
    GPUSIM_ERROR(cudaErrorNotReady, "device not ready"),
    GPUSIM_ERROR(cudaErrorIllegalAddress, "an illegal memory access was encountered"),
    GPUSIM_ERROR(cudaErrorLaunchOutOfResources, "too many resources requested for launch"),
    GPUSIM_ERROR(cudaErrorLaunchTimeout, "the launch timed out and was terminated"),
    GPUSIM_ERROR(cudaErrorAssert, "device-side assert triggered"),
    GPUSIM_ERROR(cudaErrorIllegalInstruction, "an illegal instruction was encountered"),
    GPUSIM_ERROR(cudaErrorMisalignedAddress, "misaligned address"),
    GPUSIM_ERROR(cudaErrorLaunchFailure, "unspecified launch failure"),
    GPUSIM_ERROR(cudaErrorCooperativeLaunchTooLarge, "too many blocks in cooperative launch"),
    GPUSIM_ERROR(cudaErrorNotPermitted, "operation not permitted"),
    GPUSIM_ERROR(cudaErrorNotSupported, "operation not supported"),
    GPUSIM_ERROR(cudaErrorHostMemoryAlreadyRegistered, "part or all of the requested memory range is already mapped"),
    GPUSIM_ERROR(cudaErrorHostMemoryNotRegistered, "pointer does not correspond to a registered memory region"),
    GPUSIM_ERROR(cudaErrorUnknown, "unknown error"),
};

const Row* row(cudaError_t error) {
  for (const Row& r : kErrors)
    if (r.error == error) return &r;
  return nullptr;
}

}  // namespace

extern "C" {

cudaError_t cudaGetLastError() { return take_last_error(true); }
cudaError_t cudaPeekAtLastError() { return take_last_error(false); }

const char* cudaGetErrorName(cudaError_t error) {
  const Row* r = row(error);
  return r ? r->name : "cudaErrorUnknown";
}

const char* cudaGetErrorString(cudaError_t error) {
  const Row* r = row(error);
  return r ? r->text : "unrecognized error code";
}

// Every entry point that is not implemented ends here: entry_points.cc.
cudaError_t gpusim_missing(const char* name) {
  return complain(cudaErrorNotSupported, std::string(name) + " is not implemented by the simulator");
}

}  // extern "C"
