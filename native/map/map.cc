#include "map.h"

#include <limits>

#include "neighbours.h"
#include "reach.h"
#include "tiles.h"

namespace sk {
namespace {

constexpr int64_t kMostRows = std::numeric_limits<int32_t>::max() - 1;
constexpr int64_t kMostGroups = int64_t{1} << 20;

}  // namespace

Status check_map(const MapOptions& o) {
  if (o.in_grid.axes < 1 || o.in_grid.axes > kMaxAxes) return Status(Code::kShape, "expected 1 to 4 axes");
  if (o.groups < 1 || o.groups > kMostGroups) return Status(Code::kShape, "expected from 1 to 2^20 offsets");
  if (o.in_grid.axes != o.out_grid.axes || o.in_grid.batch != o.out_grid.batch)
    return Status(Code::kShape, "expected input and output to have the same axes and batch size");
  if (o.in.rows > kMostRows || o.out.rows > kMostRows) return Status(Code::kMemory, "expected less than 2^31 - 1 sites");
  for (int a = 0; a < o.in_grid.axes; ++a)
    if (o.stride[a] < 1 || o.stride[a] > kMostRows) return Status(Code::kShape, "expected strides from 1 to 2^31 - 2");
  if (o.outputs != MapOutputs::kSame) return Status();
  for (int a = 0; a < o.in_grid.axes; ++a)
    if (o.stride[a] != 1 || o.in_grid.extent[a] != o.out_grid.extent[a])
      return Status(Code::kShape, "expected stride 1 and equal extents where the output sites are the input sites");
  return o.transposed ? Status(Code::kShape, "expected a map that is not transposed where the output sites are the input sites") : Status();
}

Status Map::build(const MapOptions& options, std::shared_ptr<const Map>* result) {
  if (Status status = check_map(options); !status.ok()) return status;
  std::shared_ptr<Map> map(new Map);
  auto lists = std::make_shared<PairLists>();
  map->groups_ = options.groups;
  map->in_rows_ = map->out_rows_ = options.in.rows;
  const Status status = options.outputs == MapOutputs::kSame ? neighbour_pairs(options, lists.get())
                                                             : reach_pairs(options, lists.get(), &map->out_coords_, &map->out_rows_);
  if (!status.ok()) return status;
  if (options.outputs == MapOutputs::kReached) map->out_width_ = 1 + options.in_grid.axes;
  map->lists_ = std::move(lists);
  map->tiles_ = find_tiles(options, options.outputs == MapOutputs::kSame    ? options.in
                                    : options.outputs == MapOutputs::kGiven ? options.out
                                                                            : Sites{map->out_coords(), map->out_rows_});
  *result = std::move(map);
  return Status();
}

const TilesView* Map::tiles_view() const { return tiles_ ? &tiles_->view : nullptr; }

std::shared_ptr<const Map> Map::swapped() const {
  std::shared_ptr<Map> map(new Map);
  map->lists_ = lists_;
  map->groups_ = groups_;
  map->in_rows_ = out_rows_;
  map->out_rows_ = in_rows_;
  map->swapped_ = !swapped_;
  return map;
}

}  // namespace sk
