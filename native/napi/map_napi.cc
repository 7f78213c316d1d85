#include <algorithm>
#include <limits>

#include "args.h"
#include "cuda_verbs.h"
#include "map_object.h"
#include "run.h"
#include "verbs.h"

namespace sk::napi {
namespace {

constexpr int64_t kMaxExtent = std::numeric_limits<int32_t>::max();

// batch x shape
Grid grid(const Napi::Value& batch, const Napi::Value& shape, const char* name) {
  const auto extents = span<int32_t>(shape, name);
  expect_length(shape.Env(), extents.length, name, 1, std::clamp<int64_t>(extents.length, 1, kMaxAxes));
  Grid result;
  result.axes = static_cast<int>(extents.length);
  result.batch = integer(batch, "batch", 1, kMaxExtent);
  std::copy(extents.data, extents.data + extents.length, result.extent);
  return result;
}

Sites sites(const Napi::Value& coords, const char* name, int axes) {
  const auto array = span<int32_t>(coords, name);
  expect_length(coords.Env(), array.length, name, array.length / (1 + axes), 1 + axes);
  return {array.data, array.length / (1 + axes)};
}

// { coords, outCoords } and what map_geometry() takes
MapOptions map_options(const Napi::Object& o) {
  MapOptions options = map_geometry(o);
  options.in = sites(o.Get("coords"), "coords", options.in_grid.axes);
  if (options.outputs == MapOutputs::kGiven) options.out = sites(o.Get("outCoords"), "outCoords", options.in_grid.axes);
  return options;
}

// sortSites(coords, batch, shape, order) -> whether the rows were in order
Napi::Value sort(const Napi::CallbackInfo& info) {
  const Grid g = grid(info[1], info[2], "shape");
  const Sites rows = sites(info[0], "coords", g.axes);
  const auto order = span<int32_t>(info[3], "order");
  expect_length(info.Env(), order.length, "order", rows.rows, 1);
  bool sorted = true;
  if (const Status status = sort_sites(g, rows, order.data, &sorted); !status.ok()) throw to_error(info.Env(), status);
  return Napi::Boolean::New(info.Env(), sorted);
}

// sortSitesRun(coords, batch, shape, order) -> Promise<void>: off the event loop; JavaScript must not have seen order
Napi::Value sort_async(const Napi::CallbackInfo& info) {
  const Grid g = grid(info[1], info[2], "shape");
  const Sites rows = sites(info[0], "coords", g.axes);
  expect_length(info.Env(), span<int32_t>(info[3], "order").length, "order", rows.rows, 1);
  const size_t bytes = static_cast<size_t>(rows.rows * (1 + g.axes)) * sizeof(int32_t);
  return run_async(info.Env(), {{rows.coords, bytes}}, {{info[3], true}}, nullptr,
                   [g, rows](const void* const* in, void* const* out, const std::atomic<bool>*) {
                     bool sorted;
                     return sort_sites(g, {static_cast<const int32_t*>(in[0]), rows.rows}, static_cast<int32_t*>(out[0]), &sorted);
                   });
}

}  // namespace

MapOptions map_geometry(const Napi::Object& o) {
  MapOptions options;
  options.in_grid = grid(o.Get("batch"), o.Get("inShape"), "inShape");
  options.out_grid = grid(o.Get("batch"), o.Get("outShape"), "outShape");
  const int axes = options.in_grid.axes;
  options.outputs = static_cast<MapOutputs>(integer(o.Get("outputs"), "outputs", 0, 2));
  options.transposed = o.Get("transposed").ToBoolean();
  const auto stride = span<int32_t>(o.Get("stride"), "stride");
  expect_length(o.Env(), stride.length, "stride", 1, axes);
  std::copy(stride.data, stride.data + axes, options.stride);
  const auto offsets = span<int32_t>(o.Get("offsets"), "offsets");
  expect_length(o.Env(), offsets.length, "offsets", offsets.length / axes, axes);
  options.offsets = offsets.data;
  options.groups = offsets.length / axes;
  return options;
}

Napi::Function MapObject::define(Napi::Env env) {
  return DefineClass(env, "KernelMap",
                     {InstanceAccessor<&MapObject::in_rows>("inRows"), InstanceAccessor<&MapObject::out_rows>("outRows"),
                      InstanceAccessor<&MapObject::pairs>("pairs"), InstanceAccessor<&MapObject::bytes>("bytes"),
                      InstanceMethod<&MapObject::read_coords>("readOutCoords"), InstanceMethod<&MapObject::read_pairs>("readPairs"),
                      InstanceMethod<&MapObject::count_inputs>("countInputs"), InstanceMethod<&MapObject::build>("build"),
                      InstanceMethod<&MapObject::take>("take"), InstanceMethod<&MapObject::dispose>("dispose")});
}

// new KernelMap({ coords, .. }), new KernelMap({ swapped: map }) or new KernelMap(undefined): one that build() and take() make
MapObject::MapObject(const Napi::CallbackInfo& info) : Napi::ObjectWrap<MapObject>(info) {
  info.This().As<Napi::Object>().TypeTag(&kTag);
  if (info[0].IsUndefined()) return;
  const Napi::Object o = object(info[0], "options");
  if (o.Has("swapped")) {
    map_ = of(o.Get("swapped"))->swapped();  // a twin shares its pairs, which are reported already
    return;
  }
  if (const Status status = Map::build(map_options(o), &map_); !status.ok()) throw to_error(info.Env(), status);
  report(info.Env());
}

void MapObject::report(Napi::Env env) {
  reported_ = static_cast<int64_t>(map_->bytes());
  Napi::MemoryManagement::AdjustExternalMemory(env, reported_);
}

// build(options, cancelToken | undefined) -> Promise<void>: off the event loop. The map is there after take().
Napi::Value MapObject::build(const Napi::CallbackInfo& info) {
  MapOptions options = map_options(object(info[0], "options"));
  const int64_t width = 1 + options.in_grid.axes;
  const auto bytes = [width](const Sites& sites) { return static_cast<size_t>(sites.rows * width) * sizeof(int32_t); };
  const std::vector<int32_t> offsets(options.offsets, options.offsets + options.groups * options.in_grid.axes);
  building_ = std::make_shared<std::shared_ptr<const Map>>();
  return run_async(info.Env(), {{options.in.coords, bytes(options.in)}, {options.out.coords, bytes(options.out)}}, {},
                   CancelToken::flag_of(info[1]),
                   [options, offsets, map = building_](const void* const* in, void* const*, const std::atomic<bool>* cancel) {
                     if (cancel && cancel->load(std::memory_order_relaxed)) return Status(Code::kAborted, "the map was aborted");
                     MapOptions staged = options;
                     staged.in.coords = static_cast<const int32_t*>(in[0]);
                     staged.out.coords = static_cast<const int32_t*>(in[1]);
                     staged.offsets = offsets.data();
                     return Map::build(staged, map.get());
                   });
}

// take(): makes this the map that build() has made
Napi::Value MapObject::take(const Napi::CallbackInfo& info) {
  if (!building_ || !*building_ || map_) throw type_error(info.Env(), "expected take() after build() has ended");
  map_ = std::move(*building_);
  building_.reset();
  report(info.Env());
  return info.Env().Undefined();
}

std::shared_ptr<const Map> MapObject::of(const Napi::Value& value) {
  if (!value.IsObject() || !value.As<Napi::Object>().CheckTypeTag(&kTag)) throw type_error(value.Env(), "expected map to be a KernelMap");
  return Unwrap(value.As<Napi::Object>())->live(value.Env());
}

const std::shared_ptr<const Map>& MapObject::live(Napi::Env env) const {
  if (!map_) throw to_error(env, Status(Code::kDisposed, "the map was used after dispose()"));
  return map_;
}

Napi::Value MapObject::in_rows(const Napi::CallbackInfo& info) {
  return Napi::Number::New(info.Env(), static_cast<double>(live(info.Env())->in_rows()));
}

Napi::Value MapObject::out_rows(const Napi::CallbackInfo& info) {
  return Napi::Number::New(info.Env(), static_cast<double>(live(info.Env())->out_rows()));
}

Napi::Value MapObject::pairs(const Napi::CallbackInfo& info) {
  return Napi::Number::New(info.Env(), static_cast<double>(live(info.Env())->pairs()));
}

Napi::Value MapObject::bytes(const Napi::CallbackInfo& info) {
  return Napi::Number::New(info.Env(), static_cast<double>(live(info.Env())->bytes()));
}

// readOutCoords(coords [outRows, 1 + axes]): of a map that found its output sites itself
Napi::Value MapObject::read_coords(const Napi::CallbackInfo& info) {
  const auto& map = live(info.Env());
  const auto coords = span<int32_t>(info[0], "coords");
  expect_length(info.Env(), coords.length, "coords", map->out_rows(), map->out_width());
  std::copy(map->out_coords(), map->out_coords() + coords.length, coords.data);
  return info.Env().Undefined();
}

// readPairs(starts [groups + 1], in [pairs], out [pairs])
Napi::Value MapObject::read_pairs(const Napi::CallbackInfo& info) {
  const auto& map = live(info.Env());
  const auto starts = span<int32_t>(info[0], "starts"), in = span<int32_t>(info[1], "in"), out = span<int32_t>(info[2], "out");
  expect_length(info.Env(), starts.length, "starts", 1, map->groups() + 1);
  expect_length(info.Env(), in.length, "in", 1, map->pairs());
  expect_length(info.Env(), out.length, "out", 1, map->pairs());
  if (map->pairs() > kMaxExtent) throw to_error(info.Env(), Status(Code::kMemory, "expected less than 2^31 pairs to read"));
  std::copy(map->starts(), map->starts() + starts.length, starts.data);
  std::copy(map->in(), map->in() + in.length, in.data);
  std::copy(map->out(), map->out() + out.length, out.data);
  return info.Env().Undefined();
}

// countInputs(counts [outRows]) -> Promise<void>: pairs of every output row, off the event loop; JavaScript must not have seen counts
Napi::Value MapObject::count_inputs(const Napi::CallbackInfo& info) {
  const std::shared_ptr<const Map> map = live(info.Env());
  const auto counts = span<int32_t>(info[0], "counts");
  expect_length(info.Env(), counts.length, "counts", 1, map->out_rows());
  return run_async(info.Env(), {}, {{info[0], true}}, nullptr, [map](const void* const*, void* const* out, const std::atomic<bool>*) {
    auto* to = static_cast<int32_t*>(out[0]);
    std::fill_n(to, map->out_rows(), 0);
    for (int64_t p = 0; p < map->pairs(); ++p) ++to[map->out()[p]];
    return Status();
  });
}

void MapObject::Finalize(Napi::BasicEnv env) {
  if (map_) Napi::MemoryManagement::AdjustExternalMemory(env, -reported_);
  map_.reset();
}

const Verb kMap = {[](Napi::Env env, Napi::Object exports) {
                     exports.Set("KernelMap", MapObject::define(env));
                     define_map_cuda(env, exports);
                     exports.Set("sortSites", Napi::Function::New(env, sort, "sortSites"));
                     exports.Set("sortSitesRun", Napi::Function::New(env, sort_async, "sortSitesRun"));
                   },
                   nullptr};

}  // namespace sk::napi
