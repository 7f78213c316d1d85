// What the plans of attend on both kinds of device share.
#pragma once

#include <napi.h>

#include "../attend/attend.h"

namespace sk::napi {

// types/attention.d.ts, NativeAttendOptions.
AttendOptions attend_options(const Napi::Value& value);

Napi::Function define_attend_cuda_plan(Napi::Env env);

}  // namespace sk::napi
