#include "args.h"

#include <cmath>

#include "../core/memory.h"

namespace sk::napi {
namespace {

Napi::Error coded(Napi::Error error, const char* code) {
  error.Set("code", Napi::String::New(error.Env(), code));
  return error;
}

struct ArrayInfo {
  Bytes memory;
  size_t length;
  napi_typedarray_type type;
};

ArrayInfo inspect(const Napi::Value& value, const std::string& expected) {
  const Napi::Env env = value.Env();
  if (!value.IsTypedArray()) throw type_error(env, expected);
  ArrayInfo info;
  napi_value buffer;
  size_t offset;
  NAPI_THROW_IF_FAILED(env, napi_get_typedarray_info(env, value, &info.type, &info.length, &info.memory.data, &buffer, &offset), {});
  info.memory.bytes = value.As<Napi::TypedArray>().ByteLength();
  bool plain = false, detached = true;
  napi_is_arraybuffer(env, buffer, &plain);  // false for a SharedArrayBuffer
  if (plain) napi_is_detached_arraybuffer(env, buffer, &detached);
  if (!plain || detached)
    throw coded(Napi::TypeError::New(env, expected + " on an ArrayBuffer that is neither shared nor detached"), "ERR_SK_BUFFER");
  return info;
}

template <class T>
struct ArrayClass;
template <>
struct ArrayClass<float> {
  static constexpr napi_typedarray_type type = napi_float32_array;
  static constexpr const char* name = "Float32Array";
};
template <>
struct ArrayClass<uint16_t> {
  static constexpr napi_typedarray_type type = napi_uint16_array;
  static constexpr const char* name = "Uint16Array";
};
template <>
struct ArrayClass<int8_t> {
  static constexpr napi_typedarray_type type = napi_int8_array;
  static constexpr const char* name = "Int8Array";
};
template <>
struct ArrayClass<uint8_t> {
  static constexpr napi_typedarray_type type = napi_uint8_array;
  static constexpr const char* name = "Uint8Array";
};
template <>
struct ArrayClass<int32_t> {
  static constexpr napi_typedarray_type type = napi_int32_array;
  static constexpr const char* name = "Int32Array";
};
template <>
struct ArrayClass<uint32_t> {
  static constexpr napi_typedarray_type type = napi_uint32_array;
  static constexpr const char* name = "Uint32Array";
};

}  // namespace

Bytes bytes_of(const Napi::Value& value, const char* name) {
  return inspect(value, std::string("expected ") + name + " to be a typed array").memory;
}

template <class T>
Span<T> span(const Napi::Value& value, const char* name) {
  const std::string expected = std::string("expected ") + name + " to be a " + ArrayClass<T>::name;
  const ArrayInfo info = inspect(value, expected);
  if (info.type != ArrayClass<T>::type) throw type_error(value.Env(), expected);
  return {static_cast<T*>(info.memory.data), static_cast<int64_t>(info.length)};
}
template Span<float> span<float>(const Napi::Value&, const char*);
template Span<uint16_t> span<uint16_t>(const Napi::Value&, const char*);
template Span<int8_t> span<int8_t>(const Napi::Value&, const char*);
template Span<uint8_t> span<uint8_t>(const Napi::Value&, const char*);
template Span<int32_t> span<int32_t>(const Napi::Value&, const char*);
template Span<uint32_t> span<uint32_t>(const Napi::Value&, const char*);

Elements elements(const Napi::Value& value, const Napi::Value& type, const char* name) {
  const auto dtype = static_cast<DType>(integer(type, "type", 0, 3));
  const auto of = [dtype](const auto& s) { return Elements{s.data, s.length, dtype}; };
  if (dtype == DType::kFloat32) return of(span<float>(value, name));
  if (dtype == DType::kInt8) return of(span<int8_t>(value, name));
  return of(span<uint16_t>(value, name));
}

int64_t integer(const Napi::Value& value, const char* name, int64_t low, int64_t high) {
  const double number = value.IsNumber() ? value.As<Napi::Number>().DoubleValue() : std::nan("");
  if (!(number >= static_cast<double>(low) && number <= static_cast<double>(high)) || number != std::floor(number))
    throw coded(Napi::RangeError::New(value.Env(), std::string("expected ") + name + " to be an integer in [" + std::to_string(low) + ", " +
                                                       std::to_string(high) + "]"),
                "ERR_SK_OPTION");
  return static_cast<int64_t>(number);
}

std::string text(const Napi::Value& value, const char* name) {
  if (!value.IsString()) throw type_error(value.Env(), std::string("expected ") + name + " to be a string");
  return value.As<Napi::String>().Utf8Value();
}

Napi::Object object(const Napi::Value& value, const char* name) {
  if (!value.IsObject()) throw type_error(value.Env(), std::string("expected ") + name + " to be an object");
  return value.As<Napi::Object>();
}

Napi::Error type_error(Napi::Env env, const std::string& message) { return coded(Napi::TypeError::New(env, message), "ERR_SK_TYPE"); }

Napi::Error to_error(Napi::Env env, const Status& status) {
  return coded(Napi::Error::New(env, status.message()), code_name(status.code()));
}

void expect_length(Napi::Env env, int64_t length, const char* name, int64_t rows, int64_t columns) {
  int64_t expected;
  if (checked_multiply(rows, columns, &expected) && expected == length) return;
  throw coded(Napi::RangeError::New(env, std::string("expected ") + name + " to hold " + std::to_string(rows) + " x " +
                                             std::to_string(columns) + " elements but received " + std::to_string(length)),
              "ERR_SK_SHAPE");
}

}  // namespace sk::napi
