#include "args.h"

#include <cmath>

#include "../core/memory.h"

namespace sk::napi {
namespace {

Napi::Error coded(Napi::Error error, const char* code) {
  error.Set("code", Napi::String::New(error.Env(), code));
  return error;
}

}  // namespace

FloatSpan float_span(const Napi::Value& value, const char* name) {
  const Napi::Env env = value.Env();
  const std::string expected = std::string("expected ") + name + " to be a Float32Array";
  if (!value.IsTypedArray()) throw type_error(env, expected);
  napi_typedarray_type type;
  size_t length, offset;
  void* data;
  napi_value buffer;
  NAPI_THROW_IF_FAILED(env, napi_get_typedarray_info(env, value, &type, &length, &data, &buffer, &offset), {});
  if (type != napi_float32_array) throw type_error(env, expected);
  bool plain = false, detached = true;
  napi_is_arraybuffer(env, buffer, &plain);  // false for a SharedArrayBuffer
  if (plain) napi_is_detached_arraybuffer(env, buffer, &detached);
  if (!plain || detached)
    throw coded(Napi::TypeError::New(env, expected + " on an ArrayBuffer that is neither shared nor detached"), "ERR_SK_BUFFER");
  return {static_cast<float*>(data), static_cast<int64_t>(length)};
}

int64_t integer(const Napi::Value& value, const char* name, int64_t low, int64_t high) {
  const double number = value.IsNumber() ? value.As<Napi::Number>().DoubleValue() : std::nan("");
  if (!(number >= static_cast<double>(low) && number <= static_cast<double>(high)) || number != std::floor(number))
    throw coded(Napi::RangeError::New(value.Env(), std::string("expected ") + name + " to be an integer in [" + std::to_string(low) + ", " +
                                                       std::to_string(high) + "]"),
                "ERR_SK_OPTION");
  return static_cast<int64_t>(number);
}

Napi::Error type_error(Napi::Env env, const std::string& message) { return coded(Napi::TypeError::New(env, message), "ERR_SK_TYPE"); }

Napi::Error to_error(Napi::Env env, const Status& status) {
  return coded(Napi::Error::New(env, status.message()), code_name(status.code()));
}

void expect_length(Napi::Env env, const FloatSpan& span, const char* name, int64_t rows, int64_t columns) {
  int64_t length;
  if (checked_multiply(rows, columns, &length) && length == span.length) return;
  throw coded(Napi::RangeError::New(env, std::string("expected ") + name + " to hold " + std::to_string(rows) + " x " +
                                             std::to_string(columns) + " numbers but received " + std::to_string(span.length)),
              "ERR_SK_SHAPE");
}

}  // namespace sk::napi
