// What the host part of select on a device and its kernels share: the arguments of one run, all in device memory. No CUDA headers.
#pragma once

#include <cstdint>

namespace sk {

constexpr int kTopKThreads = 256;  // of a block, one for each value of a digit

// The k best of every row of scores [rows, columns], as lists. What a RowRule of native/select/select.h says holds here too.
struct TopKCudaRun {
  const float* scores;
  int64_t rows, columns;
  int32_t k;
  const int32_t* row_k;  // [rows] instead of k; or null
  const int32_t* limit;  // [limits], that of row r is limit[r % limits]; null: columns
  int64_t limits;
  int64_t slice_rows, whole_rows;  // of every slice_rows rows the last whole_rows keep every column
  int32_t first, sink, local;
  // index [rows, capacity]: ids ascend, -1 behind them; count [rows]: -1 where a score is NaN, or where more is forced than there is room
  // for.
  int32_t *index, *count;
  int32_t capacity;
};

// Of every m consecutive weights of a row the n largest stay, the others become 0.
struct GroupsCudaRun {
  const float* weight;  // [rows, columns]
  float* masked;        // likewise
  int64_t rows, columns;
  int32_t n, m;
};

// One row of kernels.def. The functions put work on the stream and return a cudaError_t; there is at least one row and one column.
struct SelectCudaKernel {
  const char* name;  // select_f32_any_cuda
  int (*top_k)(const TopKCudaRun& run, void* stream);
  int (*groups)(const GroupsCudaRun& run, void* stream);
};

}  // namespace sk
