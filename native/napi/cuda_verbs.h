// What verbs without plans add to the addon for a device: functions that put work on a stream and do not wait for it.
#pragma once

#include <napi.h>

namespace sk::napi {

void define_map_cuda(Napi::Env env, Napi::Object exports);
void define_mapreduce_cuda(Napi::Env env, Napi::Object exports);
void define_pool_cuda(Napi::Env env, Napi::Object exports);
void define_score_cuda(Napi::Env env, Napi::Object exports);
void define_select_cuda(Napi::Env env, Napi::Object exports);

}  // namespace sk::napi
