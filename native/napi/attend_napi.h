// What the plans of attend on both kinds of device share.
#pragma once

#include <napi.h>

#include "../attend/attend.h"

namespace sk::napi {

// types/attention.d.ts, NativeAttendOptions.
AttendOptions attend_options(const Napi::Value& value);

// attendMerge(outputs, lses, rows, headDim, output, lse) -> Promise<void>
Napi::Value attend_merge(const Napi::CallbackInfo& info);

// Adds AttendCudaPlan and verticalSlashCuda.
void define_attend_cuda(Napi::Env env, Napi::Object exports);

}  // namespace sk::napi
