#include "../mapouter/mapouter.h"
#include "args.h"
#include "map_object.h"
#include "run.h"
#include "verbs.h"

namespace sk::napi {
namespace {

constexpr int64_t kMaxChannels = int64_t{1} << 20;

// mapOuter(map, x, dy, { in, out, splits, isa, privateX, privateDy }, dw, cancelToken | undefined) -> Promise<void>; JavaScript must not
// have seen dw, nor x and dy where they are private
Napi::Value map_outer_async(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const std::shared_ptr<const Map> map = MapObject::of(info[0]);
  const auto x = span<float>(info[1], "x"), dy = span<float>(info[2], "dy");
  const Napi::Object o = object(info[3], "options");
  MapouterOptions options;
  options.in = integer(o.Get("in"), "in", 1, kMaxChannels);
  options.out = integer(o.Get("out"), "out", 1, kMaxChannels);
  options.splits = integer(o.Get("splits"), "splits", 1, kMaxChannels);
  options.isa = text(o.Get("isa"), "isa");
  expect_length(env, x.length, "x", map->in_rows(), options.splits * options.in);
  expect_length(env, dy.length, "dy", map->out_rows(), options.splits * options.out);
  expect_length(env, span<float>(info[4], "dw").length, "dw", options.splits * options.out * map->groups(), options.in);
  const auto owner = [&](const char* flag, const Napi::Value& value) { return o.Get(flag).ToBoolean() ? value : Napi::Value(); };
  return run_async(env,
                   {{x.data, static_cast<size_t>(x.length) * 4, owner("privateX", info[1])},
                    {dy.data, static_cast<size_t>(dy.length) * 4, owner("privateDy", info[2])}},
                   {{info[4], true}}, CancelToken::flag_of(info[5]),
                   [map, options](const void* const* in, void* const* out, const std::atomic<bool>* cancel) {
                     MapouterOptions run = options;
                     run.x = static_cast<const float*>(in[0]);
                     run.dy = static_cast<const float*>(in[1]);
                     run.dw = static_cast<float*>(out[0]);
                     return map_outer(map->view(), run, cancel);
                   });
}

}  // namespace

const Verb kMapouter = {
    [](Napi::Env env, Napi::Object exports) { exports.Set("mapOuter", Napi::Function::New(env, map_outer_async, "mapOuter")); },
    &mapouter_kernels};

}  // namespace sk::napi
