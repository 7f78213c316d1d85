// What attend.cc and the ISA files share: a block of query rows, chunks of keys, and the moves that one kernel row offers. Plain data, no
// inline code (an inline function here would be compiled with every ISA's flags, and the linker keeps any one of the copies).
//
// Legend: d head dim; L lanes of the vector. A row is one query of one head; all rows of a block read the same keys, so the query heads
// that share a key-value head may be stacked.
//
// Scores are in units of log2 everywhere below attend.cc: the factor log2(e) is part of `scale`, `softcap` and `bias`, so that an
// exponential is one exp2.
#pragma once

#include <cstdint>

namespace sk {

constexpr int kAttendRows = 64;        // most rows of a block
constexpr int kAttendFewRows = 8;      // a block of more has its rows in lanes
constexpr int kAttendKeys = 128;       // most keys of a chunk
constexpr int kAttendUnit = 32;        // keys that few rows work on at a time
constexpr int kAttendKeyPadding = 64;  // entries behind the last key of a chunk that may be read: of the next keys, where there are any
constexpr int kAttendMostHeadDim = 256;
constexpr int kAttendSegmentScores = 48;  // most rows of a segment that meet a panel of keys at a time
constexpr int kAttendRowPadding = 32;     // the floats of a segment's row are padded to a multiple of this

// A chunk of keys, anywhere in memory.
struct AttendKeys {
  int count;                // 1 .. kAttendKeys
  const void* const* k;     // [count + padding] the d elements of each key; entries behind count are of the next keys or of the last
  const void* const* v;     // likewise
  const int32_t* position;  // [count]
  const float* bias;        // [count]; null: none
  bool cut;                 // false: every row sees every key, whatever its position
  bool aliased;  // rows of k and v lie a multiple of 512 bytes apart, in 8 sets of L1 or fewer: worth a copy where many rows read them
};

// A block of rows under way. Before the first chunk attend.cc sets max to -FLT_MAX and sum to 0, for all kAttendRows.
struct AttendBlock {
  int rows, d;
  float scale;
  float softcap;          // 0: none
  float skip;             // above 0: keys whose weights are all below exp2(-skip) of their row's largest so far may be left out
  int32_t sink_tokens;    // keys of positions below are seen in spite of `low`
  const int32_t* low;     // [kAttendRows] first and last key position that each row sees; behind `rows` those of a valid row
  const int32_t* high;    // likewise
  const int32_t* lowest;  // [kAttendRows] INT32_MIN
  float* max;             // [kAttendRows] largest score so far; all arrays of floats are aligned to 64 bytes
  float* sum;             // [kAttendRows] of exp2(score - max)
  float* queries;         // [kAttendRows * padded d], in the kernel's own order; d is padded to 16
  float* output;          // likewise: values weighted by exp2(score - max)
  float* scores;          // [(kAttendKeys + kAttendKeyPadding) * 32]: of a chunk for a panel
  float* keys;            // [kAttendKeys * (padded d + 16)]: copies of the keys of a chunk
  float* values;          // likewise
};

// Rows under way that meet keys in any order, each only those that it lists. Before the first chunk segment.cc sets max to -FLT_MAX, sum
// and output to 0. All arrays have an entry behind those of the rows: the spare row `rows`, which kernels may use and nobody looks at.
struct AttendSegment {
  int rows, d;
  int stride;  // floats from a row of queries or output to the next: d padded to kAttendRowPadding
  float scale;
  float softcap;         // 0: none
  int32_t sink_tokens;   // as in a block
  const int32_t* low;    // first and last key position that each row sees
  const int32_t* high;   // likewise
  float* max;            // largest score so far; all arrays of floats are aligned to 64 bytes
  float* sum;            // of exp2(score - max)
  float* queries;        // [rows + 1][stride]
  float* output;         // [rows + 1][stride]: values weighted by exp2(score - max)
  float* scores;         // [kAttendSegmentScores][kAttendKeys]
  float *keys, *values;  // [kAttendKeys * stride]: a chunk as the kernel lays it out
};

// A kernel has the moves of blocks, or those of segments (rows of kernels.def named `keys`).
struct AttendKernel {
  const char* name;   // attend_f32_any_avx2
  const char* dtype;  // float32, float16 or bfloat16: of q, k and v
  int lanes;
  // Takes the queries and empties the output.
  void (*begin)(const AttendBlock& block, const void* const* q);
  // Folds a chunk of keys into max, sum and output.
  void (*chunk)(const AttendBlock& block, const AttendKeys& keys);
  // to[r][0 .. d) = output of row r * factor[r]; factor: [kAttendRows]
  void (*finish)(const AttendBlock& block, const float* factor, float* const* to);
  // Takes the query of a row.
  void (*take)(const AttendSegment& segment, int row, const void* q);
  // Folds a chunk of keys into max, sum and output of the rows listed, none of them twice.
  void (*fold)(const AttendSegment& segment, const AttendKeys& keys, const int32_t* rows, int count);
};

}  // namespace sk
