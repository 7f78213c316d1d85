// One task of a plan whose chunks of keys meet all rows that list them: a segment of queries.
#pragma once

#include "block.h"

namespace sk {

// Scratch of one thread, in floats; `tiles` have ids.
int64_t segment_scratch(const AttendOptions& options, const SegmentSize& size, int64_t tiles);

// Computes the results of the task's queries [query, query + queries), whose lists begin with row task.row.
void attend_segment(const AttendRun& run, const AttendTask& task, int64_t b, const SegmentSize& size, float* scratch);

}  // namespace sk
