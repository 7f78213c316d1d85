#include "status.h"

namespace sk {

const char* code_name(Code code) {
  switch (code) {
    case Code::kOk: return "OK";
    case Code::kValue: return "ERR_SK_VALUE";
    case Code::kShape: return "ERR_SK_SHAPE";
    case Code::kSparsity: return "ERR_SK_SPARSITY";
    case Code::kPattern: return "ERR_SK_PATTERN";
    case Code::kIsa: return "ERR_SK_ISA";
    case Code::kMemory: return "ERR_SK_MEMORY";
    case Code::kAborted: return "ERR_SK_ABORTED";
    case Code::kDisposed: return "ERR_SK_DISPOSED";
    case Code::kNan: return "ERR_SK_NAN";
    case Code::kCoordinates: return "ERR_SK_COORDINATES";
    case Code::kLists: return "ERR_SK_LISTS";
    case Code::kCapacity: return "ERR_SK_CAPACITY";
    case Code::kDevice: return "ERR_SK_DEVICE";
    case Code::kCuda: return "ERR_SK_CUDA";
  }
  return "ERR_SK_INTERNAL";
}

}  // namespace sk
