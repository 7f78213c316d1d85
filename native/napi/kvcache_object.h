// A cache of keys and values as a JavaScript object (kvcache_napi.cc), which runs of attend_napi.cc take.
#pragma once

#include <napi.h>

#include "../attend/cache.h"

namespace sk::napi {

Napi::Function define_kv_cache(Napi::Env env);

// The cache behind a value; throws for anything else and after dispose().
const KvCache& kv_cache_of(const Napi::Value& value);

}  // namespace sk::napi
