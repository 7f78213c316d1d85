// Decoding of JavaScript arguments. lib/ has already checked what they mean and worded the errors; this layer checks again what memory
// safety needs, so that no caller of the raw addon can make it read or write outside a buffer.
#pragma once

#include <napi.h>

#include <cstdint>
#include <string>

#include "../core/status.h"

namespace sk::napi {

struct FloatSpan {
  float* data;
  int64_t length;
};

// Throws a TypeError unless value is a Float32Array on a plain ArrayBuffer of fixed length that is not detached.
FloatSpan float_span(const Napi::Value& value, const char* name);

// Throws unless value is an integer in [low, high].
int64_t integer(const Napi::Value& value, const char* name, int64_t low, int64_t high);

// TypeError with code ERR_SK_TYPE.
Napi::Error type_error(Napi::Env env, const std::string& message);

// The error that JavaScript sees for a failed Status; its code is status.code().
Napi::Error to_error(Napi::Env env, const Status& status);

// Throws unless span holds exactly rows * columns floats.
void expect_length(Napi::Env env, const FloatSpan& span, const char* name, int64_t rows, int64_t columns);

}  // namespace sk::napi
