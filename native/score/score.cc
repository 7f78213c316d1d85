#include "score.h"

#include <algorithm>
#include <cmath>

#include "../core/memory.h"
#include "../core/parallel.h"
#include "strip.h"
#include "tasks.h"

namespace sk {

#define SK_SCORE_AVX512(row) extern const ScoreKernel score_##row##_avx512;
#define SK_SCORE_AVX2(row) extern const ScoreKernel score_##row##_avx2;
#define SK_SCORE_SCALAR(row) extern const ScoreKernel score_##row##_scalar;
#define SK_SCORE_SCALAR16(row) extern const ScoreKernel score_##row##_scalar16;
#include "kernels.def"

namespace {

struct Row {
  const ScoreKernel* kernel;
  Isa isa;
};

const Row kRows[] = {
#define SK_SCORE_AVX512(row) {&score_##row##_avx512, Isa::kAvx512},
#define SK_SCORE_AVX2(row) {&score_##row##_avx2, Isa::kAvx2},
#define SK_SCORE_SCALAR(row) {&score_##row##_scalar, Isa::kScalar},
#define SK_SCORE_SCALAR16(row) {&score_##row##_scalar16, Isa::kScalar16},
#include "kernels.def"
};

// Queries of one task: as many as share a packing, unless their scores would leave the cache.
int64_t rows_per_task(const ScoreOptions& o) {
  constexpr int64_t kFloats = 1 << 18;
  return std::clamp<int64_t>(kFloats / std::max<int64_t>(1, o.keys), 1, std::min<int64_t>(kStripRows, std::max<int64_t>(1, o.queries)));
}

}  // namespace

Status choose_score_kernel(const std::string& isa, const ScoreKernel** kernel) {
  const Row* row = nullptr;
  const Status status = choose_kernel(kRows, isa, [](const Row&) { return true; }, &row);
  if (status.ok()) *kernel = row->kernel;
  return status;
}

namespace {

auto channels_of(const ScoreKernel& kernel, const float*) { return kernel.channels; }
auto channels_of(const ScoreKernel& kernel, const BHalf*) { return kernel.channels_bf16; }

// One query a sequence (decoding): the query heads of a key-value head share each read of its keys, a range of them a task.
template <class K>
Status dot_of_one(const ScoreOptions& o, const ScoreKernel& kernel, const K* keys, float* out) {
  constexpr int64_t kRangeFloats = 1 << 18, kStepFloats = 4096;
  const int64_t group = o.group_size(), seen = limit_of(o, 0);
  const int64_t range = round_up(std::max<int64_t>(1, kRangeFloats / o.dim), kernel.panel_keys), ranges = ceil_div(o.keys, range);
  // Keys whose scores stay in L1 until the group is reduced.
  const int64_t step = round_up(std::max<int64_t>(1, kStepFloats / group), kernel.panel_keys);
  const int64_t panel_floats = round_up(strip_scratch(kernel, o.dim), 16);
  return score_tasks(o, o.batch * o.kv_heads * ranges, panel_floats + group * step, [&](int64_t task, float* scratch) {
    float *const panel = scratch, *const scores = scratch + panel_floats;
    const int64_t sequence_of = task / ranges, b = sequence_of / o.kv_heads, kv_head = sequence_of % o.kv_heads;
    const int64_t first = task % ranges * range, end = std::min(first + range, o.keys), stop = std::clamp(seen, first, end);
    const float* q = sequence(o.q, b, kv_head * group);
    const K* k = keys + b * o.k.batch_stride + kv_head * o.k.head_stride;
    const bool greatest = o.channels_first && o.group == GroupReduce::kMax;
    const auto few = [&](int64_t j, int64_t n, float* to, int64_t stride) {
      if (o.channels_first)
        return channels_of(kernel, k)(q, o.q.head_stride, group, k + j, o.k.token_stride, n, o.dim, o.scale, greatest, to, stride);
      strip(kernel, q, o.q.head_stride, group, k + j * o.k.token_stride, o.k.token_stride, n, o.dim, o.scale, to, stride, panel);
    };
    const int64_t rows = o.group == GroupReduce::kNone ? group : 1;
    float* const to = out + sequence_of * rows * o.keys;
    if (o.group == GroupReduce::kNone || greatest) {
      few(first, stop - first, to + first, o.keys);
    } else {
      for (int64_t j = first; j < stop; j += step) {
        const int64_t n = std::min(step, stop - j);
        few(j, n, scores, step);
        std::copy_n(scores, n, to + j);
        for (int64_t g = 1; g < group; ++g) (o.group == GroupReduce::kSum ? kernel.add : kernel.raise)(to + j, scores + g * step, n);
      }
    }
    for (int64_t row = 0; row < rows; ++row) std::fill(to + row * o.keys + stop, to + row * o.keys + end, -INFINITY);
  });
}

}  // namespace

Status score_dot(const ScoreOptions& o, bool softmax, float* out) {
  const ScoreKernel* kernel;
  if (Status status = choose_score_kernel(o.isa, &kernel); !status.ok()) return status;
  if (o.queries == 1 && !softmax)
    return o.k_bf16 != nullptr ? dot_of_one(o, *kernel, o.k_bf16, out) : dot_of_one(o, *kernel, o.k.data, out);
  const int64_t rows_most = rows_per_task(o), strips = ceil_div(o.queries, rows_most);
  const int64_t heads = o.out_heads(), members = o.group == GroupReduce::kNone ? 1 : o.group_size();
  const int64_t panel = round_up(strip_scratch(*kernel, o.dim), 16);
  const int64_t scratch_floats = panel + (members > 1 ? rows_most * o.keys : 0);
  // The query heads of a group take turns on keys that stay in cache; a softmax needs the whole row.
  constexpr int64_t kChunkFloats = 16384;
  const int64_t chunk = softmax ? o.keys : round_up(std::max<int64_t>(1, kChunkFloats / o.dim), kernel->panel_keys);
  return score_tasks(o, o.batch * heads * strips, scratch_floats, [&](int64_t task, float* scratch) {
    const int64_t b = task / strips / heads, head = task / strips % heads, first = task % strips * rows_most;
    const int64_t rows = std::min(rows_most, o.queries - first);
    float* const to = out + ((b * heads + head) * o.queries + first) * o.keys;
    int64_t seen = 0;  // keys that any of the rows sees
    for (int64_t i = 0; i < rows; ++i) seen = std::max(seen, limit_of(o, first + i));
    for (int64_t j = 0; j < seen; j += chunk) {
      const int64_t n = std::min(chunk, seen - j);
      for (int64_t g = 0; g < members; ++g) {
        const int64_t q_head = o.group == GroupReduce::kNone ? head : head * members + g;
        const float* q = sequence(o.q, b, q_head) + first * o.q.token_stride;
        const float* k = sequence(o.k, b, q_head / o.group_size()) + j * o.k.token_stride;
        float* s = (g == 0 ? to : scratch + panel) + j;
        strip(*kernel, q, o.q.token_stride, rows, k, o.k.token_stride, n, o.dim, o.scale, s, o.keys, scratch);
        for (int64_t i = 0; i < rows; ++i) {
          const int64_t limit = std::clamp<int64_t>(limit_of(o, first + i) - j, 0, n);
          float *x = s + i * o.keys, *sum = to + i * o.keys + j;
          if (softmax) softmax_row(*kernel, x, limit);
          if (g > 0) (o.group == GroupReduce::kSum ? kernel->add : kernel->raise)(sum, x, limit);
        }
      }
    }
    for (int64_t i = 0; i < rows; ++i) {
      const int64_t limit = limit_of(o, first + i);
      std::fill(to + i * o.keys + limit, to + (i + 1) * o.keys, softmax ? 0 : -INFINITY);
    }
  });
}

// max(q least, q greatest) = min(q, 0) least + max(q, 0) greatest: a dot product with the parts of q.
Status score_bounds(const ScoreOptions& o, float* out) {
  const int64_t d = o.dim;
  int64_t rows, bytes;
  AlignedBuffer parts;
  if (!checked_multiply(o.batch * o.heads, o.queries, &rows) ||
      !checked_multiply(rows, 2 * d * static_cast<int64_t>(sizeof(float)), &bytes) || !parts.reserve(static_cast<size_t>(bytes)))
    return Status(Code::kMemory, "no memory for the parts of the queries");
  auto* to = parts.as<float>();
  for (int64_t row = 0; row < rows; ++row, to += 2 * d) {
    const int64_t head = row / o.queries;
    const float* q = sequence(o.q, head / o.heads, head % o.heads) + row % o.queries * o.q.token_stride;
    for (int64_t c = 0; c < d; ++c) to[c] = std::min(q[c], 0.0F), to[d + c] = std::max(q[c], 0.0F);
  }
  ScoreOptions split = o;
  split.q = {parts.as<float>(), o.heads * o.queries * 2 * d, o.queries * 2 * d, 2 * d};
  split.dim = 2 * d;
  return score_dot(split, false, out);
}

Status score_blocks(const ScoreOptions& o, BlockKind kind, int64_t block_q, int64_t block_k, const float* lse, float* out) {
  const ScoreKernel* kernel;
  if (Status status = choose_score_kernel(o.isa, &kernel); !status.ok()) return status;
  const int64_t q_blocks = ceil_div(o.queries, block_q), k_blocks = ceil_div(o.keys, block_k);
  const int64_t heads = o.out_heads(), members = o.group == GroupReduce::kNone ? 1 : o.group_size();
  const int64_t chunk = std::max<int64_t>(1, 512 / block_k) * block_k;  // whole blocks
  const int64_t panel = round_up(strip_scratch(*kernel, o.dim), 16);
  const int64_t rows_most = std::min(kStripRows, block_q);
  return score_tasks(o, o.batch * heads * q_blocks, panel + rows_most * chunk, [&](int64_t task, float* scratch) {
    const int64_t b = task / q_blocks / heads, head = task / q_blocks % heads, block = task % q_blocks;
    float* const to = out + task * k_blocks;
    std::fill_n(to, k_blocks, kind == BlockKind::kMax ? -INFINITY : 0.0F);
    const int64_t end = std::min((block + 1) * block_q, o.queries);
    for (int64_t g = 0; g < members; ++g) {
      const int64_t q_head = o.group == GroupReduce::kNone ? head : head * members + g;
      const float* const k = sequence(o.k, b, q_head / o.group_size());
      for (int64_t first = block * block_q; first < end; first += rows_most) {
        const int64_t rows = std::min(rows_most, end - first);
        int64_t seen = 0;
        for (int64_t i = 0; i < rows; ++i) seen = std::max(seen, limit_of(o, first + i));
        for (int64_t j = 0; j < seen; j += chunk) {
          const int64_t n = std::min(chunk, seen - j);
          float* s = scratch + panel;
          strip(*kernel, sequence(o.q, b, q_head) + first * o.q.token_stride, o.q.token_stride, rows, k + j * o.k.token_stride,
                o.k.token_stride, n, o.dim, o.scale, s, chunk, scratch);
          for (int64_t i = 0; i < rows; ++i) {
            const int64_t limit = std::min(n, limit_of(o, first + i) - j);
            const float shift = kind == BlockKind::kMass ? lse[(b * o.heads + q_head) * o.queries + first + i] : 0;
            if (shift == -INFINITY) continue;
            for (int64_t at = 0; at < limit; at += block_k) {
              float *x = s + i * chunk + at, *tile = to + (j + at) / block_k;
              const int64_t width = std::min(block_k, limit - at);
              if (kind == BlockKind::kMax)
                *tile = std::max(*tile, kernel->greatest(x, width));
              else
                *tile += kernel->exponentials(x, width, shift);
            }
          }
        }
      }
    }
  });
}

void pool_scores(const float* x, int64_t rows, int64_t columns, int64_t stride, int64_t left, int64_t size, const float* weight,
                 int64_t out_columns, int threads, float* out) {
  constexpr int64_t kBatch = 64;
  parallel_for(ceil_div(rows, kBatch), threads, [&](int64_t task, int) {
    for (int64_t row = task * kBatch; row < std::min((task + 1) * kBatch, rows); ++row)
      for (int64_t b = 0; b < out_columns; ++b) {
        const int64_t first = b * stride - left;
        float result = weight == nullptr ? -INFINITY : 0;
        for (int64_t i = std::max<int64_t>(0, -first); i < size && first + i < columns; ++i) {
          const float score = x[row * columns + first + i];
          result = weight == nullptr ? std::max(result, score) : result + weight[i] * score;
        }
        out[row * out_columns + b] = result;
      }
  });
}

std::vector<KernelRow> score_kernels() {
  std::vector<KernelRow> rows;
  for (const Row& row : kRows)
    rows.push_back({row.kernel->name, "score", "float32", "any", isa_name(row.isa), row.kernel->lanes, isa_supported(row.isa)});
  return rows;
}

}  // namespace sk
