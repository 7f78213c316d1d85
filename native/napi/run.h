// Asynchronous runs: how every plan works off the event loop, behind a promise.
#pragma once

#include <napi.h>

#include <cstddef>
#include <functional>
#include <vector>

#include "../core/status.h"
#include "cancel.h"

namespace sk::napi {

// What a run reads: copied before run_async() returns, unless `owner` is given: the typed array that it lies in, whose buffer JavaScript
// has not seen. {nullptr, 0} for an operand that is not given.
struct Input {
  const void* data;
  size_t bytes;
  Napi::Value owner = {};
};

// What a run writes: a typed array. If JavaScript has not seen its buffer yet, the worker writes it in place.
struct Output {
  Napi::Value array;
  bool is_private;
};

// Works on another thread, on memory that nobody can take away: in[i] and out[i] stand for inputs[i] and outputs[i] (null where there are
// no bytes). It must hold a share of all else that it uses.
using Body = std::function<Status(const void* const* in, void* const* out, const std::atomic<bool>* cancel)>;

// Returns a promise of undefined, rejected with the failed status of `body`. So many threads may copy the outputs at the end.
Napi::Value run_async(Napi::Env env, const std::vector<Input>& inputs, const std::vector<Output>& outputs, CancelFlag cancel, Body body,
                      int threads = 1);

}  // namespace sk::napi
