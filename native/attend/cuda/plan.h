// attend on a CUDA device: the lists stay there, q, k, v and the results are device memory.
#pragma once

#include <memory>
#include <vector>

#include "../../cuda/device.h"
#include "../attend.h"
#include "kernel.h"

namespace sk {

// How many ids a row of each kind of lists has at most, where runs bring them; -1: the plan has them.
struct AttendCudaCapacity {
  int64_t tiles = -1, full_tiles = -1, columns = -1;
};

// Lists that a run brings: int32 [rows] and [rows, capacity].
struct AttendCudaRows {
  const CudaBuffer *count, *index;
};

// What a run reads and writes on the device; each of its size at least, as the caller has checked. Null: not given, not wanted.
struct AttendCudaOperands {
  const CudaBuffer *q, *k, *v;                     // q [batch, heads, queries, head_dim] (or tokens outside), of the plan's dtype
  const CudaBuffer *initial_output, *initial_lse;  // float32, as output and lse
  const CudaBuffer *output, *lse, *row_max;        // float32, as q and [batch, heads, queries]
  // Keys in pages: k and v are [pages, kv_heads, page_tokens, head_dim] (or tokens outside), the table int32
  // [batch, ceil(keys / page_tokens)]; its entries are checked on the device.
  const CudaBuffer* page_table;
  int64_t pages, page_tokens;
  AttendCudaRows tiles, full_tiles, columns;  // of kinds with a capacity
};

// Operands of a run in host memory; they stay until the device has been waited for. Meaning as in AttendOperands.
struct AttendCudaExtras {
  const int32_t* query_positions = nullptr;
  int64_t query_positions_length = 0;  // queries or batch * queries
  const int32_t* key_positions = nullptr;
  int64_t key_positions_length = 0;  // keys or batch * keys
  const int32_t* key_lengths = nullptr;
  const float* key_bias = nullptr;
  int64_t key_bias_rows = 1;
  const float* sink = nullptr;
  float log_weight = 0;
};

// Immutable: checked lists + tasks on the device + chosen kernel. run() may be called from any number of threads at once.
class AttendCudaPlan {
 public:
  // options.isa and options.threads have no meaning here, and lists none of a kind with a capacity.
  static Status create(std::shared_ptr<const CudaDevice> device, const AttendOptions& options, const AttendCudaCapacity& capacity,
                       std::shared_ptr<const AttendCudaPlan>* plan);

  // Puts the work on the stream and returns; extras must stay until it is done.
  Status run(const AttendCudaOperands& operands, const AttendCudaExtras& extras) const;

  const AttendCudaKernel& kernel() const { return *kernel_; }
  const AttendOptions& options() const { return lists_->options(); }
  const AttendCudaCapacity& capacity() const { return capacity_; }
  int64_t list_rows() const;
  size_t bytes() const { return tasks_.bytes() + starts_.bytes() + indices_.bytes(); }  // on the device
  int64_t listed() const { return lists_->listed(); }

 private:
  AttendCudaPlan() = default;
  Status upload_lists();
  Status upload_tasks();
  int64_t length(int64_t row) const;  // keys that a row lists at most

  std::shared_ptr<const CudaDevice> device_;
  const AttendCudaKernel* kernel_ = nullptr;
  std::shared_ptr<const AttendPlan> lists_;  // the checked lists, and what they say of the work
  AttendCudaCapacity capacity_;
  CudaBuffer tasks_, starts_, indices_;
  AttendCudaLists tiles_ = {}, full_tiles_ = {}, columns_ = {};
  int64_t task_count_ = 0, partials_ = 0;
};

// The CUDA rows of kernels.def; also where this build or machine cannot run them.
std::vector<KernelRow> attend_cuda_kernels();

}  // namespace sk
