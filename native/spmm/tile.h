// What both loop nests of spmm (many_tokens.h, few_tokens.h) share. In both, every output is summed over its kept weights in ascending
// k, one multiply-add after another, so y depends neither on the regime nor on the number of tokens or threads.
#pragma once

#include "kernel.h"

namespace sk {
namespace {

constexpr int field_bits(int m) { return m == 4 ? 2 : m <= 16 ? 4 : 8; }

constexpr int kGroupVectors = 4;

// Rows of the next row group of a row block that has `rows_left` rows to go.
constexpr int64_t group_rows(int lanes, int64_t rows_left) { return rows_left >= kGroupVectors * lanes ? kGroupVectors * lanes : lanes; }

}  // namespace
}  // namespace sk
