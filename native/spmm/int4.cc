#include "int4.h"

#include <algorithm>
#include <cmath>

namespace sk {
namespace {

struct Range {
  float low = 0, high = 0;  // 0 is always within: dropped weights are zeros
};

std::string place(const WeightRows& rows, int64_t row, int64_t input) { return rows.name(row) + ", input " + std::to_string(input); }

// The scale as it is stored. A weight that is not 0 keeps a scale that is not.
bool narrow_scale(float scale, Half* stored) {
  narrow(scale, stored);
  if (scale > 0 && widen(*stored) == 0) stored->bits = 1;
  return std::isfinite(widen(*stored));
}

Status choose(const WeightRows& rows, int64_t row, int64_t input, Range r, Int4Levels* levels) {
  const size_t at = levels->at(row, input);
  const float scale = levels->zero_point ? (r.high - r.low) / 15 : std::max(r.high, -r.low) / 7.5f;
  if (!narrow_scale(scale, &levels->scales[at]))
    return Status(Code::kValue,
                  "expected weights whose scale float16 can hold but that of " + place(rows, row, input) + " is " + std::to_string(scale));
  levels->zeros[at] = 8;
  if (levels->zero_point && scale > 0)
    levels->zeros[at] = static_cast<int8_t>(std::clamp(std::nearbyint(-r.low / widen(levels->scales[at])), 0.0f, 15.0f));
  return Status();
}

// Integers of a given scale.
Status place_zero(const WeightRows& rows, int64_t row, int64_t input, Range r, float scale, Int4Levels* levels) {
  const size_t at = levels->at(row, input);
  if (!narrow_scale(scale, &levels->scales[at]))
    return Status(Code::kValue,
                  "expected scales that float16 can hold but that of " + place(rows, row, input) + " is " + std::to_string(scale));
  const bool span = r.high - r.low <= 15;
  const float zero = levels->zero_point && span ? std::clamp(8.0f, -r.low, 15 - r.high) : 8;
  if (r.low + zero < 0 || r.high + zero > 15)
    return Status(Code::kValue, std::string("expected int4 weights ") +
                                    (levels->zero_point ? "of a group to span at most 15 steps, 0 included," : "of -8 .. 7") +
                                    " but the group from " + place(rows, row, input) + " on has " +
                                    std::to_string(static_cast<int>(r.low)) + " .. " + std::to_string(static_cast<int>(r.high)));
  levels->zeros[at] = static_cast<int8_t>(zero);
  return Status();
}

}  // namespace

Status int4_choose(const WeightRows& rows, const Int4Options& options, Int4Levels* levels) {
  const int64_t in = rows.weight.columns;
  const bool integers = rows.weight.type == DType::kInt8;
  levels->group = options.group;
  levels->per_row = ceil_div(in, options.group);
  levels->zero_point = options.zero_point;
  levels->scales.assign(static_cast<size_t>(rows.count() * levels->per_row), Half{0});
  levels->zeros.assign(levels->scales.size(), 8);
  return for_each_block(rows.count(), 64, [&](int64_t first, int64_t end) {
    return for_each_row(rows, first, end, [&](int64_t row, const float* dense) {
      const float* given = rows.of_gate(row) ? options.gate_scale : options.scale;
      for (int64_t input = 0; dense && input < in; input += options.group) {
        Range range;
        for (int64_t i = input; i < std::min(in, input + options.group); ++i) {
          if (!std::isfinite(dense[i]))
            return Status(Code::kValue,
                          "expected finite weights where they are quantised but " + place(rows, row, i) + " is NaN or infinite");
          range.low = std::min(range.low, dense[i]);
          range.high = std::max(range.high, dense[i]);
        }
        const Status status =
            integers ? place_zero(rows, row, input, range, given[rows.source(row) * levels->per_row + input / options.group], levels)
                     : choose(rows, row, input, range, levels);
        if (!status.ok()) return status;
      }
      return Status();
    });
  });
}

uint32_t int4_steps(float weight, Int4Level level, bool integers) {
  if (weight == 0 || level.scale == 0) return static_cast<uint32_t>(level.zero);
  const float steps = integers ? weight : std::nearbyint(weight / level.scale);
  return static_cast<uint32_t>(std::clamp(steps + static_cast<float>(level.zero), 0.0f, 15.0f));
}

}  // namespace sk
