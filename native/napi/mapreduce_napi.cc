#include "../mapreduce/mapreduce.h"
#include "args.h"
#include "cuda_verbs.h"
#include "map_object.h"
#include "run.h"
#include "verbs.h"

namespace sk::napi {
namespace {

// mapReduce(map, x, { reduction, channels, row, winner }, y, cancelToken | undefined) -> Promise<void>; JavaScript must not have seen y,
// nor the winner that a maximum writes.
Napi::Value map_reduce_async(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const std::shared_ptr<const Map> map = MapObject::of(info[0]);
  const auto x = span<float>(info[1], "x");
  const Napi::Object o = object(info[2], "options");
  ReduceOptions options;
  options.reduction = static_cast<Reduction>(integer(o.Get("reduction"), "reduction", 0, 2));
  options.channels = integer(o.Get("channels"), "channels", 1, int64_t{1} << 31);
  expect_length(env, x.length, "x", map->in_rows(), options.channels);
  expect_length(env, span<float>(info[3], "out").length, "out", map->out_rows(), options.channels);
  const bool max = options.reduction == Reduction::kMax, gradient = options.reduction == Reduction::kMaxGradient;
  const auto row = max ? span<float>(o.Get("row"), "row") : optional_span<float>(o.Get("row"), "row");
  if (row.data != nullptr) expect_length(env, row.length, "row", map->out_rows(), 1);
  const auto winner = gradient ? span<int32_t>(o.Get("winner"), "winner") : optional_span<int32_t>(o.Get("winner"), "winner");
  if (winner.data != nullptr) expect_length(env, winner.length, "winner", gradient ? map->in_rows() : map->out_rows(), options.channels);
  const size_t winner_bytes = static_cast<size_t>(winner.length) * 4;
  std::vector<Output> outputs = {{info[3], true}};
  if (max && winner_bytes > 0) outputs.push_back({o.Get("winner"), true});
  return run_async(env,
                   {{x.data, static_cast<size_t>(x.length) * 4},
                    {row.data, static_cast<size_t>(row.length) * 4},
                    {winner.data, gradient ? winner_bytes : 0}},
                   outputs, CancelToken::flag_of(info[4]),
                   [map, options, writes = outputs.size() > 1](const void* const* in, void* const* out, const std::atomic<bool>* cancel) {
                     ReduceOptions run = options;
                     run.x = static_cast<const float*>(in[0]);
                     run.row = static_cast<const float*>(in[1]);
                     run.winner = writes ? static_cast<int32_t*>(out[1]) : static_cast<int32_t*>(const_cast<void*>(in[2]));
                     run.y = static_cast<float*>(out[0]);
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
