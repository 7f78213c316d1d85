// One task of a run: rows, their keys in chunks, what becomes of the sums.
#pragma once

#include "attend.h"

namespace sk {

// Sums over a part of the keys of a block's rows: output [rows][d] not divided by sum, score units of log2.
struct AttendPartial {
  float* output;
  float* max;  // [rows]
  float* sum;  // [rows]
};

// What the tasks of a run share.
struct AttendRun {
  const AttendOptions& o;
  const AttendKernel& kernel;
  const KeyLists& lists;
  const AttendOperands& in;
  const AttendResults& out;
  const std::atomic<bool>* cancel;  // may be null

  bool cancelled() const { return cancel != nullptr && cancel->load(std::memory_order_relaxed); }
};

// Scratch of one thread, in floats.
int64_t attend_scratch(const AttendOptions& options);

// Computes a task of batch entry b: its results, or, where it is a part of several, `partial`.
void attend_task(const AttendRun& run, const AttendTask& task, int64_t b, float* scratch, const AttendPartial& partial);

// The results of a task from those of its parts, which lie one behind the other; they are overwritten.
void attend_join(const AttendRun& run, const AttendTask& task, int64_t b, const AttendPartial& parts);

}  // namespace sk
