// Decoding over what all key-value heads list: one task takes a range of keys of a cache through all of them, page by page, so that memory
// is read as it lies, a stream of keys and one of values. Head by head the same bytes come in pieces as long as a head's part of a page,
// at a quarter less bandwidth.
#pragma once

#include "block.h"

namespace sk {

// Most key-value heads of a walk: the rows of all of them should stay in L2.
constexpr int64_t kMostWalkHeads = 64;

// Tasks that differ in their key-value head only.
struct AttendWalk {
  const AttendTask* tasks[kMostWalkHeads];
  AttendPartial partials[kMostWalkHeads];
};

// Whether the keys and values of a run lie as walks take them.
bool can_walk(const AttendOptions& options, const AttendOperands& in);

// Scratch of one thread, in floats.
int64_t walk_scratch(const AttendOptions& options);

// Computes the tasks of batch entry b, one for each key-value head.
void attend_walk(const AttendRun& run, const AttendWalk& walk, int64_t b, float* scratch);

}  // namespace sk
