// Heads of tokens inside a larger array, as pool and score take them.
#pragma once

#include <napi.h>

#include <string>

#include "../core/memory.h"
#include "args.h"

namespace sk::napi {

template <class T>
struct StridedSpan {
  const T* data;
  int64_t length;
  int64_t batch_stride, head_stride, token_stride;
};

// The member `name` of o and its strides `<name>Strides` [batch, head, token]; throws unless [batch, heads, tokens, dim] lies inside it.
template <class T = float>
StridedSpan<T> strided_span(const Napi::Object& o, const char* name, int64_t batch, int64_t heads, int64_t tokens, int64_t dim) {
  const auto x = span<T>(o.Get(name), name);
  const std::string strides_name = std::string(name) + "Strides";
  const auto strides = span<int32_t>(o.Get(strides_name), strides_name.c_str());
  expect_length(o.Env(), strides.length, strides_name.c_str(), 3, 1);
  const int64_t s[3] = {strides.data[0], strides.data[1], strides.data[2]}, n[3] = {batch, heads, tokens};
  int64_t end = dim;
  bool ok = true;
  for (int i = 0; i < 3; ++i) {
    int64_t offset = 0;
    ok &= s[i] >= 0 && checked_multiply(s[i], n[i] - 1, &offset) && end + offset >= end;
    end += offset;
  }
  const bool empty = batch == 0 || heads == 0 || tokens == 0 || dim == 0;
  if (!empty && (!ok || end > x.length))
    throw to_error(o.Env(), Status(Code::kShape, std::string("expected ") + name + " to hold its batch, heads, tokens and dims"));
  return {x.data, x.length, s[0], s[1], s[2]};
}

}  // namespace sk::napi
