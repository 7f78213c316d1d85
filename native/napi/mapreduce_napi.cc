#include <vector>

#include "../mapreduce/mapreduce.h"
#include "args.h"
#include "cuda_verbs.h"
#include "map_object.h"
#include "run.h"
#include "verbs.h"

namespace sk::napi {
namespace {

template <class T>
Input input(const Napi::Value& value, const Span<T>& array, bool is_private) {
  return {array.data, static_cast<size_t>(array.length) * sizeof(T), is_private && array.data != nullptr ? value : Napi::Value()};
}

// mapReduce(map, x, { reduction, channels, privateX, row, winner, variance, slope, centre, at, privateAt }, y, cancelToken | undefined) ->
// Promise<void>; JavaScript must not have seen y nor any member of the options but `at`, nor x and `at` where they are private.
Napi::Value map_reduce_async(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const std::shared_ptr<const Map> map = MapObject::of(info[0]);
  const auto x = span<float>(info[1], "x");
  const Napi::Object o = object(info[2], "options");
  ReduceOptions options;
  options.reduction = static_cast<Reduction>(integer(o.Get("reduction"), "reduction", 0, 5));
  options.channels = integer(o.Get("channels"), "channels", 1, int64_t{1} << 31);
  expect_length(env, x.length, "x", map->in_rows(), options.channels);
  expect_length(env, span<float>(info[3], "out").length, "out", map->out_rows(), options.channels);
  const Reduction reduction = options.reduction;
  std::vector<Input> inputs = {input(info[1], x, o.Get("privateX").ToBoolean())};
  std::vector<Output> outputs = {{info[3], true}};
  // An operand [rows, columns] that is read: null where it may be left out and is.
  const auto read = [&](const char* name, int64_t rows, int64_t columns, bool optional = false, bool is_private = true) {
    const Napi::Value value = o.Get(name);
    const auto array = optional ? optional_span<float>(value, name) : span<float>(value, name);
    if (!value.IsUndefined()) expect_length(env, array.length, name, rows, columns);
    inputs.push_back(input(value, array, is_private));
  };
  if (reduction == Reduction::kSum || reduction == Reduction::kMax) read("row", map->out_rows(), 1, reduction == Reduction::kSum);
  if (reduction == Reduction::kMaxGradient) {
    const auto winner = span<int32_t>(o.Get("winner"), "winner");
    expect_length(env, winner.length, "winner", map->in_rows(), options.channels);
    inputs.push_back(input(o.Get("winner"), winner, true));
  }
  if (reduction == Reduction::kMomentsGradient) {
    read("slope", map->in_rows(), options.channels);
    read("centre", map->in_rows(), options.channels);
    read("at", map->out_rows(), options.channels, false, o.Get("privateAt").ToBoolean());
  }
  if (reduction == Reduction::kMax && !o.Get("winner").IsUndefined()) {
    expect_length(env, span<int32_t>(o.Get("winner"), "winner").length, "winner", map->out_rows(), options.channels);
    outputs.push_back({o.Get("winner"), true});
  }
  if (reduction == Reduction::kMoments) {
    expect_length(env, span<float>(o.Get("variance"), "variance").length, "variance", map->out_rows(), options.channels);
    outputs.push_back({o.Get("variance"), true});
  }
  return run_async(env, inputs, outputs, CancelToken::flag_of(info[4]),
                   [map, options, more = outputs.size() > 1](const void* const* in, void* const* out, const std::atomic<bool>* cancel) {
                     ReduceOptions run = options;
                     const auto floats = [in](size_t i) { return static_cast<const float*>(in[i]); };
                     run.x = floats(0);
                     run.y = static_cast<float*>(out[0]);
                     switch (run.reduction) {
                       case Reduction::kMax: run.winner = more ? static_cast<int32_t*>(out[1]) : nullptr; [[fallthrough]];
                       case Reduction::kSum: run.row = floats(1); break;
                       case Reduction::kMoments: run.variance = static_cast<float*>(out[1]); break;
                       case Reduction::kMaxGradient: run.winner = static_cast<int32_t*>(const_cast<void*>(in[1])); break;
                       case Reduction::kMomentsGradient: run.slope = floats(1), run.centre = floats(2), run.at = floats(3); break;
                       case Reduction::kMean: break;
                     }
                     return map_reduce(map->view(), run, cancel);
                   });
}

}  // namespace

const Verb kMapreduce = {[](Napi::Env env, Napi::Object exports) {
                           exports.Set("mapReduce", Napi::Function::New(env, map_reduce_async, "mapReduce"));
                           define_mapreduce_cuda(env, exports);
                         },
                         nullptr};

}  // namespace sk::napi
