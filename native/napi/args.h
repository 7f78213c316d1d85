// Decoding of JavaScript arguments. lib/ has already checked what they mean and worded the errors; this layer checks again what memory
// safety needs, so that no caller of the raw addon can make it read or write outside a buffer.
#pragma once

#include <napi.h>

#include <cstddef>
#include <cstdint>
#include <string>

#include "../core/status.h"
#include "../core/tensor.h"

namespace sk::napi {

constexpr int64_t kMaxDimension = int64_t{1} << 48;

// The memory of a typed array.
struct Bytes {
  void* data;
  size_t bytes;
};

template <class T>
struct Span {
  T* data;
  int64_t length;
};

// Throws a TypeError unless value is a typed array on a plain ArrayBuffer of fixed length that is not detached.
Bytes bytes_of(const Napi::Value& value, const char* name);

// As bytes_of, for the class of array that holds T: float (Float32Array), uint16_t (Uint16Array), int8_t, uint8_t, int32_t or uint32_t.
template <class T>
Span<T> span(const Napi::Value& value, const char* name);

// As span; undefined gives {nullptr, 0}.
template <class T>
Span<T> optional_span(const Napi::Value& value, const char* name) {
  return value.IsUndefined() ? Span<T>{nullptr, 0} : span<T>(value, name);
}

// The elements of an array whose class fits the DType that `type` numbers; both 16-bit floats come in a Uint16Array.
struct Elements {
  void* data;
  int64_t length;
  DType type;
};
Elements elements(const Napi::Value& value, const Napi::Value& type, const char* name);

// Throws unless value is an integer in [low, high].
int64_t integer(const Napi::Value& value, const char* name, int64_t low, int64_t high);

// Throws unless value is a string.
std::string text(const Napi::Value& value, const char* name);

// Throws unless value is an object.
Napi::Object object(const Napi::Value& value, const char* name);

// TypeError with code ERR_SK_TYPE.
Napi::Error type_error(Napi::Env env, const std::string& message);

// The error that JavaScript sees for a failed Status; its code is status.code().
Napi::Error to_error(Napi::Env env, const Status& status);

// Throws unless length is exactly rows * columns.
void expect_length(Napi::Env env, int64_t length, const char* name, int64_t rows, int64_t columns);

}  // namespace sk::napi
