#include "map.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "../../core/parallel.h"
#include "build.h"

namespace sk {

CudaMapView CudaMap::view() const {
  return {
      groups_, in_rows_, out_rows_, positions_, order_.as<int32_t>(), rows_.as<int32_t>(), counts_.as<int32_t>(), active_.as<int32_t>()};
}

#ifdef SK_CUDA

namespace {

constexpr int64_t kMostBlocks = std::numeric_limits<int32_t>::max();  // of one launch
constexpr const char* kWhat = "building a map";

}  // namespace

Status CudaMap::size(const Device& device, int64_t groups, int64_t in_rows, int64_t out_rows) {
  device_ = device;
  groups_ = groups;
  in_rows_ = in_rows;
  out_rows_ = out_rows;
  positions_ = round_up(out_rows, kMapBlock);
  if (groups * (std::max(in_rows, out_rows) / kMapBlock + 1) < kMostBlocks) return Status();
  return Status(Code::kShape, "expected fewer sites or offsets on device 'cuda'");
}

// From `natural` [groups][positions] on; adds to the pairs of the findings.
Status CudaMap::arrange(const CudaBuffer& natural, CudaBuffer* findings) {
  const auto rows = static_cast<size_t>(out_rows_), positions = static_cast<size_t>(positions_);
  const auto groups = static_cast<size_t>(groups_);
  CudaBuffer masks, other_masks, other_order, scratch;
  Status status = order_.reserve(device_, positions * 4);
  if (status.ok()) status = masks.reserve(device_, rows * 8);
  if (status.ok()) status = other_masks.reserve(device_, rows * 8);
  if (status.ok()) status = other_order.reserve(device_, positions * 4);
  if (status.ok()) status = scratch.reserve(device_, static_cast<size_t>(sort_scratch(out_rows_)) * 4);
  if (status.ok()) status = rows_.reserve(device_, groups * positions * 4);
  if (status.ok()) status = counts_.reserve(device_, positions / kMapBlock * 4);
  if (status.ok()) status = active_.reserve(device_, groups * positions / kMapBlock * 4);
  if (!status.ok()) return status;
  void* const stream = device_->stream();
  const auto* table = natural.as<int32_t>();
  int error =
      launch_masks(table, groups_, out_rows_, positions_, masks.as<uint64_t>(), order_.as<int32_t>(), findings->as<MapFindings>(), stream);
  SortRun sort = {masks.as<uint64_t>(), other_masks.as<uint64_t>(), order_.as<int32_t>(), other_order.as<int32_t>(), out_rows_, nullptr,
                  mask_bits(groups_),   scratch.as<int32_t>()};
  if (error == 0) error = launch_sort(&sort, stream);
  if (sort.values != order_.as<int32_t>()) std::swap(order_, other_order);
  if (error == 0)
    error = launch_arrange(table, order_.as<int32_t>(), sort.keys, groups_, out_rows_, positions_, rows_.as<int32_t>(),
                           counts_.as<int32_t>(), active_.as<int32_t>(), stream);
  return cuda_status(error, kWhat);
}

Status CudaMap::build(const Device& device, const MapOptions& options, std::shared_ptr<const CudaMap>* result) {
  if (Status status = check_map(options); !status.ok()) return status;
  std::shared_ptr<CudaMap> map(new CudaMap);
  MapBuild build(device, options);
  Status status = map->size(device, options.groups, options.in.rows, options.in.rows);  // not too many for the kernels that look at them
  if (status.ok()) status = build.start();
  if (status.ok()) status = build.outputs();
  if (status.ok()) status = map->size(device, options.groups, options.in.rows, build.out_rows());
  CudaBuffer natural;
  if (status.ok()) status = build.match(map->positions_, &natural);
  if (status.ok()) status = map->arrange(natural, build.findings());
  if (status.ok()) status = build.finish(&map->pairs_);
  if (!status.ok()) return status;
  map->out_coords_ = build.take_coords();
  *result = std::move(map);
  return Status();
}

Status CudaMap::upload(const Device& device, const PairsView& pairs, std::shared_ptr<const CudaMap>* result) {
  constexpr int kThreads = 1024;
  std::shared_ptr<CudaMap> map(new CudaMap);
  if (Status status = map->size(device, pairs.groups, pairs.in_rows, pairs.out_rows); !status.ok()) return status;
  map->pairs_ = pairs.starts[pairs.groups];
  const int64_t positions = map->positions_;
  AlignedBuffer host;
  const size_t bytes = static_cast<size_t>(pairs.groups * positions) * 4;
  if (!host.reserve(bytes)) return Status(Code::kMemory, "no memory for the pairs of a map");
  parallel_for(pairs.groups, kThreads, [&](int64_t group, int) {
    int32_t* rows = host.as<int32_t>() + group * positions;
    std::fill_n(rows, positions, -1);
    for (int64_t i = pairs.starts[group]; i < pairs.starts[group + 1]; ++i) rows[pairs.out[i]] = pairs.in[i];
  });
  CudaBuffer natural, findings;
  Status status = upload_all(device, host.as<void>(), bytes, &natural);
  if (status.ok()) status = clear_findings(device, &findings);
  if (status.ok()) status = map->arrange(natural, &findings);
  if (status.ok()) *result = std::move(map);
  return status;
}

Status CudaMap::swapped(std::shared_ptr<const CudaMap>* result) const {
  std::shared_ptr<CudaMap> map(new CudaMap);
  map->pairs_ = pairs_;
  CudaBuffer natural, findings;
  Status status = map->size(device_, groups_, out_rows_, in_rows_);
  if (status.ok()) status = natural.reserve(device_, static_cast<size_t>(groups_ * map->positions_) * 4);
  if (status.ok()) status = clear_findings(device_, &findings);
  if (status.ok())
    status = cuda_status(launch_swap(rows_.as<int32_t>(), order_.as<int32_t>(), groups_, out_rows_, positions_, natural.as<int32_t>(),
                                     map->positions_, device_->stream()),
                         kWhat);
  if (status.ok()) status = map->arrange(natural, &findings);
  if (status.ok()) *result = std::move(map);
  return status;
}

Status CudaMap::read_pairs(int32_t* starts, int32_t* in, int32_t* out) const {
  starts[0] = 0;
  std::fill_n(starts + 1, groups_, 0);
  if (out_rows_ == 0) return Status();
  const auto order_bytes = static_cast<size_t>(out_rows_) * 4;  // positions past the rows have none
  PinnedBuffer rows, order;
  Status status = rows.reserve(device_, rows_.bytes());
  if (status.ok()) status = order.reserve(device_, order_bytes);
  if (status.ok()) status = rows_.download(rows.data(), rows_.bytes());
  if (status.ok()) status = order_.download(order.data(), order_bytes);
  if (status.ok()) status = device_->synchronize();
  AlignedBuffer position_of;
  if (status.ok() && !position_of.reserve(static_cast<size_t>(out_rows_) * 4))
    status = Status(Code::kMemory, "no memory for the pairs of a map");
  if (!status.ok()) return status;
  for (int64_t p = 0; p < out_rows_; ++p) position_of.as<int32_t>()[static_cast<int32_t*>(order.data())[p]] = static_cast<int32_t>(p);
  int32_t count = 0;
  for (int64_t group = 0; group < groups_; ++group) {
    const int32_t* of_group = static_cast<int32_t*>(rows.data()) + group * positions_;
    for (int64_t row = 0; row < out_rows_; ++row) {
      const int32_t from = of_group[position_of.as<int32_t>()[row]];
      if (from < 0) continue;
      in[count] = from;
      out[count++] = static_cast<int32_t>(row);
    }
    starts[group + 1] = count;
  }
  return Status();
}

Status window_numbers_on_cuda(const CudaDevice& device, const WindowsRun& run) {
  return cuda_status(launch_windows(run, device.stream()), "looking at the windows of a map");
}

#else

Status CudaMap::build(const Device&, const MapOptions&, std::shared_ptr<const CudaMap>*) { return cuda_status(0, ""); }
Status CudaMap::upload(const Device&, const PairsView&, std::shared_ptr<const CudaMap>*) { return cuda_status(0, ""); }
Status CudaMap::swapped(std::shared_ptr<const CudaMap>*) const { return cuda_status(0, ""); }
Status CudaMap::read_pairs(int32_t*, int32_t*, int32_t*) const { return cuda_status(0, ""); }
Status window_numbers_on_cuda(const CudaDevice&, const WindowsRun&) { return cuda_status(0, ""); }

#endif

}  // namespace sk
