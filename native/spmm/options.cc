// What a plan refuses before it looks at a weight.
#include <cmath>

#include "spmm.h"

namespace sk {
namespace {

constexpr int kMostM = 256;
constexpr int64_t kMostRows = 1 << 20;

Status check_pattern(const SpmmOptions& o) {
  const bool unstructured = o.m == 0 && o.n == 0 && !o.venom;
  const bool shared = (o.rows > 1 || o.venom) && o.m >= 2 && o.m <= kMostM && o.n >= 1 && o.n < o.m && (!o.venom || (o.m >= 4 && o.n <= 4));
  const bool alone = o.rows == 1 && !o.venom && (nm_known(o.n, o.m) || (o.n == 1 && o.m == 2));
  if (o.rows >= 1 && o.rows <= kMostRows && (unstructured || alone || shared)) return Status();
  return Status(Code::kPattern,
                "expected a pattern N:M with M of 2, 4, 8, 16 or 32, or up to 256 where rows share their columns, and "
                "1 <= N < M but received " +
                    std::to_string(o.n) + ":" + std::to_string(o.m) + " of " + std::to_string(o.rows) + " rows");
}

Status check_int4(const SpmmOptions& o) {
  if (o.values != DType::kInt4) {
    if (o.group == 0 && !o.zero_point) return Status();
    return Status(Code::kValue, "expected groups that share a scale, and zero points, with int4 values only");
  }
  if (o.rows != 1 || o.venom || !(o.m == 0 || (o.n == 2 && o.m == 4) || (o.n == 1 && o.m == 2)))
    return Status(Code::kPattern, "expected int4 weights to be 2:4, or to have their groups of inputs kept or dropped");
  if (o.group == 16 || o.group == 32 || o.group == 64 || o.group == 128) return Status();
  return Status(Code::kValue, "expected int4 groups of 16, 32, 64 or 128 inputs but received " + std::to_string(o.group));
}

// Of int8 weights; those of int4 are checked as they become float16.
Status check_scales(const SpmmOptions& o) {
  if (o.values != DType::kInt8) return Status();
  for (const float* scale : {o.scale, o.gate_scale})
    for (int64_t row = 0; scale && row < o.weight.rows; ++row)
      if (!std::isfinite(scale[row]))
        return Status(Code::kValue, "expected finite scales but that of row " + std::to_string(row) +
                                        (scale == o.scale ? " is " : " of the gate is ") + std::to_string(scale[row]));
  return Status();
}

}  // namespace

Status check_options(const SpmmOptions& options) {
  if (Status status = check_pattern(options); !status.ok()) return status;
  if (Status status = check_int4(options); !status.ok()) return status;
  if ((options.weight.type == DType::kInt8) != (options.scale != nullptr) ||
      (options.weight.type == DType::kInt8 && options.values != DType::kInt8 && options.values != DType::kInt4))
    return Status(Code::kValue, "expected an int8 weight to have a scale and to be stored as int8 or int4");
  if ((options.gate_scale != nullptr) != (options.gate != nullptr && options.scale != nullptr))
    return Status(Code::kValue, "expected a scale of the gate exactly if there is a gate and the weight has one");
  if (options.weight.rows < 1 || options.weight.columns < 1)
    return Status(Code::kShape, "expected a weight [out, in] with at least one row and column");
  return check_scales(options);
}

}  // namespace sk
