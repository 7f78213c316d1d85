#include "rows.h"

#include <algorithm>
#include <climits>
#include <cmath>

namespace sk {
namespace {

constexpr double kLn2 = 0.693147180559945309;

}  // namespace

int32_t saturate_position(int64_t position) { return static_cast<int32_t>(std::clamp<int64_t>(position, INT32_MIN, INT32_MAX)); }

int64_t TaskRows::state(int64_t r) const {
  const int64_t first_head = run.in.first_unit * (run.o.heads / run.o.kv_heads);
  return (b * run.o.heads + head(r) - first_head) * run.o.queries + query(r);
}

int64_t TaskRows::element(int64_t r) const {
  const int64_t row = run.o.tokens_outside ? (b * run.o.queries + query(r)) * run.o.heads + head(r) : state(r);
  return row * run.o.head_dim;
}

const void* TaskRows::q(int64_t r) const {
  const int64_t bytes = run.o.dtype == "float32" ? 4 : 2;
  return static_cast<const char*>(run.in.q) + element(r) * bytes;
}

void TaskRows::seen(int64_t r, int32_t* low, int32_t* high) const {
  const AttendOptions& o = run.o;
  const int64_t length = run.in.key_lengths != nullptr ? run.in.key_lengths[b] : o.keys;
  const int32_t* positions = run.in.query_positions;
  if (positions != nullptr && run.in.query_positions_per_batch) positions += b * o.queries;
  const int64_t position = positions != nullptr ? positions[query(r)] : query(r) + length - o.queries;
  *low = o.window > 0 ? saturate_position(position - o.window + 1) : INT32_MIN;
  *high = o.causal ? saturate_position(position) : INT32_MAX;
}

AttendEnding TaskRows::end(int64_t r, double max, double sum) const {
  const AttendOperands& in = run.in;
  double top = -INFINITY, own = 0, initial = 0;  // own and initial: weights relative to 2^top
  float row_max = -INFINITY;
  if (!(sum <= 0)) {  // NaN goes on
    max += static_cast<double>(in.log_weight) / kLn2;
    top = max, own = sum;
    row_max = static_cast<float>(max * kLn2);
  }
  const double before = in.initial_lse != nullptr ? in.initial_lse[state(r)] / kLn2 : -INFINITY;
  if (before != -INFINITY) {
    const double both = std::max(top, before);
    own *= std::exp2(top - both);
    initial = std::exp2(before - both);
    top = both;
  }
  double total = own + initial;
  run.out.lse[state(r)] = total == 0 ? -INFINITY : static_cast<float>((top + std::log2(total)) * kLn2);
  if (run.out.row_max != nullptr) run.out.row_max[state(r)] = row_max;
  if (total == 0) return {0, 0};
  if (in.sink != nullptr) total += std::exp2(in.sink[head(r)] / kLn2 - top);
  return {sum > 0 || sum != sum ? static_cast<float>(own / sum / total) : 0, static_cast<float>(initial / total)};
}

void TaskRows::add_initial(int64_t r, const AttendEnding& ending) const {
  if (run.in.initial_output == nullptr || ending.initial_factor == 0) return;  // the factor is NaN where a score was
  float* to = output(r);
  const float* initial = run.in.initial_output + element(r);
  for (int64_t i = 0; i < run.o.head_dim; ++i) to[i] += initial[i] * ending.initial_factor;
}

}  // namespace sk
