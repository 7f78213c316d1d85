// What each verb adds to the addon: its classes and functions on `exports` (types/native.d.ts is the contract), and its kernels.
#pragma once

#include <napi.h>

#include <vector>

#include "../core/kernel.h"

namespace sk::napi {

struct Verb {
  void (*define)(Napi::Env env, Napi::Object exports);
  std::vector<KernelRow> (*kernels)();  // null: a verb without kernels.def
};

extern const Verb kCuda;  // no verb: device memory
extern const Verb kKhot;
extern const Verb kNorm;
extern const Verb kPlanes;
extern const Verb kPool;
extern const Verb kScore;
extern const Verb kSddmm;
extern const Verb kSelect;
extern const Verb kSpmm;
extern const Verb kMap;
extern const Verb kMapmm;
extern const Verb kMapouter;
extern const Verb kMapreduce;
extern const Verb kAttend;

}  // namespace sk::napi
