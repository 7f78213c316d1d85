#include "build.h"

#ifdef SK_CUDA

#include <algorithm>
#include <limits>
#include <numeric>
#include <string>

namespace sk {
namespace {

constexpr int64_t kMostKeys = std::numeric_limits<int32_t>::max();
constexpr const char* kWhat = "building a map";

SiteGrid site_grid(const Grid& grid, const Keys& keys) {
  SiteGrid result = {};
  result.axes = grid.axes;
  for (int a = 0; a <= grid.axes; ++a) {
    result.extent[a] = a == 0 ? grid.batch : grid.extent[a - 1];
    result.step[a] = keys.step[a];
  }
  return result;
}

int bits_of(uint64_t largest) {
  int bits = 1;
  while (bits < 64 && largest >> bits != 0) ++bits;
  return bits;
}

}  // namespace

Status clear_findings(const std::shared_ptr<const CudaDevice>& device, CudaBuffer* findings) {
  Status status = findings->reserve(device, sizeof(MapFindings));
  return status.ok() ? cuda_status(launch_clear(findings->as<void>(), sizeof(MapFindings), device->stream()), kWhat) : status;
}

Status MapBuild::start() {
  Keys in_keys, out_keys;
  int64_t reach[kMaxAxes] = {};  // as on the CPU, whose keys of such a map are of a grid that is longer by it
  if (o_.outputs == MapOutputs::kSame)
    for (int64_t i = 0; i < o_.groups * o_.in_grid.axes; ++i)
      reach[i % o_.in_grid.axes] = std::max<int64_t>(reach[i % o_.in_grid.axes], std::abs(int64_t{o_.offsets[i]}));
  if (Status status = grid_keys(o_.in_grid, reach, &in_keys); !status.ok()) return status;
  if (Status status = grid_keys(o_.in_grid, nullptr, &in_keys); !status.ok()) return status;
  if (Status status = grid_keys(o_.out_grid, nullptr, &out_keys); !status.ok()) return status;
  in_grid_ = site_grid(o_.in_grid, in_keys);
  out_grid_ = site_grid(o_.out_grid, out_keys);
  key_bits_ = bits_of(static_cast<uint64_t>(out_grid_.step[0] * out_grid_.extent[0]) - 1);
  if (Status status = sort_offsets(); !status.ok()) return status;
  if (Status status = clear_findings(device_, &findings_); !status.ok()) return status;
  return check_sites(o_.in, in_grid_, &findings_.as<MapFindings>()->in_bad, &in_keys_);
}

Status MapBuild::sort_offsets() {
  const int64_t groups = o_.groups;
  const int axes = o_.in_grid.axes;
  const auto offset = [&](int64_t group) { return o_.offsets + group * axes; };
  std::vector<int32_t> group(static_cast<size_t>(groups)), starts;
  std::iota(group.begin(), group.end(), 0);
  std::stable_sort(group.begin(), group.end(), [&](int32_t a, int32_t b) {
    return std::lexicographical_compare(offset(a), offset(a) + axes, offset(b), offset(b) + axes);
  });
  for (int64_t i = 0; i < groups; ++i) {
    const bool follows = i > 0 && !o_.transposed && std::equal(offset(group[i]), offset(group[i]) + axes - 1, offset(group[i - 1])) &&
                         offset(group[i])[axes - 1] == offset(group[i - 1])[axes - 1] + 1;
    if (!follows) starts.push_back(static_cast<int32_t>(i));
  }
  const auto runs = static_cast<int64_t>(starts.size());
  starts.push_back(static_cast<int32_t>(groups));
  for (const int32_t g : group) offset_words_.insert(offset_words_.end(), offset(g), offset(g) + axes);
  offset_words_.insert(offset_words_.end(), group.begin(), group.end());
  offset_words_.insert(offset_words_.end(), starts.begin(), starts.end());
  if (Status status = offset_buffer_.reserve(device_, offset_words_.size() * 4); !status.ok()) return status;
  const auto* there = offset_buffer_.as<int32_t>();
  offsets_ = {there, there + groups * axes, there + groups * (axes + 1), groups, runs, {}, o_.transposed};
  std::copy_n(o_.stride, axes, offsets_.stride);

  // An input has outputs under offsets that are equal modulo the strides.
  std::vector<std::vector<int64_t>> classes;
  for (int64_t g = 0; g < groups; ++g) {
    classes.emplace_back();
    for (int a = 0; a < axes && !o_.transposed; ++a) classes.back().push_back((offset(g)[a] % o_.stride[a] + o_.stride[a]) % o_.stride[a]);
  }
  std::sort(classes.begin(), classes.end());
  for (auto first = classes.begin(); first != classes.end();) {
    const auto end = std::upper_bound(first, classes.end(), *first);
    most_outputs_ = std::max<int64_t>(most_outputs_, end - first);
    first = end;
  }
  return offset_buffer_.upload(offset_words_.data(), offset_words_.size() * 4);
}

Status MapBuild::check_sites(const Sites& sites, const SiteGrid& grid, unsigned long long* bad, CudaBuffer* keys) {
  if (Status status = keys->reserve(device_, static_cast<size_t>(sites.rows + 1) * 8); !status.ok()) return status;
  return cuda_status(launch_site_keys({sites.coords, sites.rows, grid, keys->as<int64_t>(), bad}, stream()), kWhat);
}

Status MapBuild::outputs() {
  if (o_.outputs == MapOutputs::kReached) return find_outputs();
  const Sites& sites = o_.outputs == MapOutputs::kSame ? o_.in : o_.out;
  out_ = sites.coords;
  out_rows_ = sites.rows;
  CudaBuffer keys;
  return o_.outputs == MapOutputs::kSame ? Status() : check_sites(o_.out, out_grid_, &findings_.as<MapFindings>()->out_bad, &keys);
}

Status MapBuild::find_outputs() {
  if (most_outputs_ * o_.in.rows >= kMostKeys) return Status(Code::kShape, "expected fewer sites or offsets on device 'cuda'");
  const int64_t capacity = most_outputs_ * o_.in.rows;
  CudaBuffer keys, other_keys, scratch;
  Status status = keys.reserve(device_, static_cast<size_t>(capacity) * 8);
  if (status.ok()) status = other_keys.reserve(device_, static_cast<size_t>(capacity) * 8);
  if (status.ok()) status = scratch.reserve(device_, static_cast<size_t>(std::max(sort_scratch(capacity), unique_blocks(capacity))) * 4);
  if (!status.ok()) return status;
  auto* findings = findings_.as<MapFindings>();
  int error = launch_candidates({o_.in.coords, o_.in.rows, out_grid_, offsets_, keys.as<uint64_t>(), findings}, stream());
  SortRun sort = {keys.as<uint64_t>(), other_keys.as<uint64_t>(), nullptr, nullptr, capacity, &findings->candidates,
                  key_bits_,           scratch.as<int32_t>()};
  if (error == 0) error = launch_sort(&sort, stream());
  if (error == 0) error = launch_unique({sort.keys, sort.other_keys, capacity, scratch.as<int32_t>(), findings}, stream());
  if (error != 0) return cuda_status(error, kWhat);
  if (status = read_findings(); !status.ok()) return status;
  out_rows_ = static_cast<int64_t>(found_.outputs);
  out_coords_ = std::make_shared<CudaBuffer>();
  if (status = out_coords_->reserve(device_, static_cast<size_t>(out_rows_ * (1 + o_.in_grid.axes)) * 4); !status.ok()) return status;
  out_ = out_coords_->as<int32_t>();
  return cuda_status(launch_coordinates(sort.other_keys, out_rows_, out_grid_, out_coords_->as<int32_t>(), stream()), kWhat);
}

Status MapBuild::match(int64_t positions, CudaBuffer* natural) {
  if (Status status = natural->reserve(device_, static_cast<size_t>(o_.groups * positions) * 4); !status.ok()) return status;
  return cuda_status(
      launch_match({out_, out_rows_, positions, in_keys_.as<int64_t>(), o_.in.rows, in_grid_, offsets_, natural->as<int32_t>()}, stream()),
      kWhat);
}

Status MapBuild::finish(int64_t* pairs) {
  if (!known_)
    if (Status status = read_findings(); !status.ok()) return status;
  *pairs = static_cast<int64_t>(o_.outputs == MapOutputs::kReached ? found_.candidates : found_.pairs);
  return Status();
}

Status MapBuild::read_findings() {
  PinnedBuffer host;
  Status status = host.reserve(device_, sizeof(MapFindings));
  if (status.ok()) status = findings_.download(host.data(), sizeof(MapFindings));
  if (status.ok()) status = device_->synchronize();
  if (!status.ok()) return status;
  found_ = *static_cast<const MapFindings*>(host.data());
  known_ = true;
  if (found_.in_bad != 0) return refuse(o_.in_grid, o_.in, found_.in_bad);
  return found_.out_bad != 0 ? refuse(o_.out_grid, o_.out, found_.out_bad) : Status();
}

Status MapBuild::refuse(const Grid& grid, const Sites& sites, unsigned long long bad) {
  const int64_t row = sites.rows - static_cast<int64_t>(bad), width = 1 + grid.axes;
  const int64_t first = std::max<int64_t>(row - 1, 0);
  const auto bytes = static_cast<size_t>((row - first + 1) * width) * 4;
  int32_t host[2 * (1 + kMaxAxes)];
  CudaBuffer two;
  Status status = two.reserve(device_, bytes);
  if (status.ok()) status = cuda_status(launch_copy(two.as<void>(), sites.coords + first * width, bytes, stream()), kWhat);
  if (status.ok()) status = two.download(host, bytes);
  if (status.ok()) status = device_->synchronize();
  return status.ok() ? refuse_site(grid, host + (row - first) * width, row) : status;
}

}  // namespace sk

#endif
