// What the plans of mapmm on both kinds of device share.
#pragma once

#include <napi.h>

#include "../mapmm/cuda/plan.h"
#include "../mapmm/mapmm.h"

namespace sk::napi {

// { weight, transposed, groups, in, out, splits, bias, activation, isa, threads }, checked for lengths.
MapmmOptions mapmm_options(const Napi::Value& value);

// Adds DeviceMap and MapmmCudaPlan.
void define_mapmm_cuda(Napi::Env env, Napi::Object exports);

}  // namespace sk::napi
