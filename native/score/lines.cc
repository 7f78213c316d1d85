// Sums of an attention map over its columns and diagonals (MInference), and over antidiagonals (XAttention).
#include <algorithm>
#include <cmath>

#include "../core/memory.h"
#include "strip.h"
#include "tasks.h"

namespace sk {

Status score_lines(const ScoreOptions& o, float* vertical, float* slash) {
  const ScoreKernel* kernel;
  if (Status status = choose_score_kernel(o.isa, &kernel); !status.ok()) return status;
  const int64_t rows = o.queries, keys = o.keys;
  AlignedBuffer map;
  int64_t bytes;
  if (!checked_multiply(rows * static_cast<int64_t>(sizeof(float)), keys, &bytes) || !map.reserve(static_cast<size_t>(bytes)))
    return Status(Code::kMemory, "no memory for the attention map of the last queries");
  auto* a = map.as<float>();
  constexpr int64_t kChunk = 2048;
  const int64_t chunks = ceil_div(keys, kChunk), scratch = strip_scratch(*kernel, o.dim);
  // Keys up to the query's own position. Never more than there are, as queries <= keys.
  const auto limit = [&](int64_t row) { return keys - rows + row + 1; };
  for (int64_t s = 0; s < o.batch * o.heads; ++s) {
    const int64_t b = s / o.heads, head = s % o.heads;
    const float *q = sequence(o.q, b, head), *k = sequence(o.k, b, head / o.group_size());
    Status status = score_tasks(o, chunks, scratch, [&](int64_t task, float* panel) {
      const int64_t j = task * kChunk;
      strip(*kernel, q, o.q.token_stride, rows, k + j * o.k.token_stride, o.k.token_stride, std::min(kChunk, keys - j), o.dim, o.scale,
            a + j, keys, panel);
    });
    if (!status.ok()) return status;
    status = score_tasks(o, rows, 0, [&](int64_t row, float*) {
      softmax_row(*kernel, a + row * keys, limit(row));
      std::fill(a + row * keys + limit(row), a + (row + 1) * keys, 0.0F);
    });
    if (!status.ok()) return status;
    // Diagonal t = key - row + rows - 1 has offset keys - 1 - t: first by t, where the rows are added in steps of one, then turned round.
    float *columns = vertical + s * keys, *diagonals = slash + s * keys;
    status = score_tasks(o, chunks, 0, [&](int64_t task, float*) {
      const int64_t begin = task * kChunk, end = std::min(begin + kChunk, keys);
      std::fill(columns + begin, columns + end, 0.0F);
      std::fill(diagonals + begin, diagonals + end, 0.0F);
      for (int64_t row = 0; row < rows; ++row) {
        kernel->add(columns + begin, a + row * keys + begin, end - begin);
        const int64_t shift = row - rows + 1, from = std::max(begin, -shift);  // key = t + shift <= t
        if (from < end) kernel->add(diagonals + from, a + row * keys + from + shift, end - from);
      }
    });
    if (!status.ok()) return status;
    std::reverse(diagonals, diagonals + keys);
  }
  return Status();
}

namespace {

// The antidiagonal view of `tokens` tokens from `first` on: one row of stride * d floats; backwards: the last token first. Missing tokens
// are zeros.
void gather(const float* x, int64_t token_stride, int64_t tokens, int64_t d, int64_t first, int64_t stride, bool backwards, float* to) {
  for (int64_t i = 0; i < stride; ++i, to += d) {
    const int64_t t = first + (backwards ? stride - 1 - i : i);
    if (t < tokens)
      std::copy_n(x + t * token_stride, d, to);
    else
      std::fill_n(to, d, 0.0F);
  }
}

}  // namespace

Status score_antidiagonal(const ScoreOptions& o, int64_t stride, int64_t block, bool causal, float* out) {
  const ScoreKernel* kernel;
  if (Status status = choose_score_kernel(o.isa, &kernel); !status.ok()) return status;
  const int64_t per_block = block / stride, width = stride * o.dim;
  const int64_t q_rows = ceil_div(o.queries, stride), k_rows = ceil_div(o.keys, stride);
  const int64_t q_blocks = ceil_div(o.queries, block), k_blocks = ceil_div(o.keys, block);
  const int64_t together = std::max<int64_t>(1, kStripRows / per_block), strips = ceil_div(q_blocks, together);  // blocks of one task
  const int64_t rows_most = together * per_block;
  const int64_t panel = round_up(strip_scratch(*kernel, width), 16), q_floats = round_up(rows_most * width, 16);
  const int64_t k_floats = round_up(kernel->panel_keys * width, 16);
  return score_tasks(o, o.batch * o.heads * strips, panel + q_floats + k_floats + rows_most * k_rows, [&](int64_t task, float* scratch) {
    const int64_t b = task / strips / o.heads, head = task / strips % o.heads, first_block = task % strips * together;
    const int64_t blocks = std::min(together, q_blocks - first_block);
    const int64_t first = first_block * per_block, rows = std::min(blocks * per_block, q_rows - first);
    float *q = scratch + panel, *k = q + q_floats, *s = k + k_floats;
    for (int64_t i = 0; i < rows; ++i)
      gather(sequence(o.q, b, head), o.q.token_stride, o.queries, o.dim, (first + i) * stride, stride, true, q + i * width);
    const auto limit = [&](int64_t i) { return causal ? std::clamp<int64_t>(first + i + 1 + k_rows - q_rows, 0, k_rows) : k_rows; };
    const int64_t seen = limit(rows - 1);
    for (int64_t j = 0; j < seen; j += kernel->panel_keys) {
      const int64_t n = std::min<int64_t>(kernel->panel_keys, seen - j);
      for (int64_t i = 0; i < n; ++i)
        gather(sequence(o.k, b, head / o.group_size()), o.k.token_stride, o.keys, o.dim, (j + i) * stride, stride, false, k + i * width);
      strip(*kernel, q, width, rows, k, width, n, width, o.scale, s + j, k_rows, scratch);
    }
    float* to = out + ((b * o.heads + head) * q_blocks + first_block) * k_blocks;
    std::fill_n(to, blocks * k_blocks, 0.0F);
    for (int64_t i = 0; i < rows; ++i) {
      float* x = s + i * k_rows;
      softmax_row(*kernel, x, limit(i));
      for (int64_t j = 0; j < limit(i); ++j) to[i / per_block * k_blocks + j / per_block] += x[j];
    }
  });
}

}  // namespace sk
