// What the plans of spmm on both kinds of device share.
#pragma once

#include <napi.h>

#include "../spmm/cuda/plan.h"
#include "../spmm/spmm.h"

namespace sk::napi {

// { weight, type, values, scale, out, in, n, m, bias, activation, isa, tokens, threads }, checked for lengths.
SpmmOptions spmm_options(const Napi::Value& value);

Napi::Function define_spmm_cuda_plan(Napi::Env env);

}  // namespace sk::napi
