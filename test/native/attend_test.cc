// attend with each operand directly beside pages that trap, on every ISA and element size, against plain sums.
#include "../../native/attend/attend.h"

#include <algorithm>
#include <cmath>
#include <iterator>

#include "../../native/attend/cache.h"
#include "../../native/core/parallel.h"
#include "guarded.h"
#include "harness.h"
#include "oracle.h"

namespace sk_test {
namespace {

struct Shape {
  int64_t heads, kv_heads, head_dim, queries, keys, block_queries, block_keys;
};

std::vector<float> numbers(Random& random, int64_t n) {
  std::vector<float> values(static_cast<size_t>(n));
  for (float& x : values) x = static_cast<float>(random.below(9) - 4);  // exact in every element type
  return values;
}

// Numbers as elements of the type.
std::vector<uint8_t> stored(const std::vector<float>& values, const std::string& dtype) {
  const size_t size = dtype == "float32" ? 4 : 2;
  std::vector<uint8_t> bytes(values.size() * size);
  for (size_t i = 0; i < values.size(); ++i) {
    uint32_t bits;
    std::memcpy(&bits, &values[i], 4);
    const uint32_t half = values[i] == 0 ? 0 : (bits >> 16 & 0x8000) | ((bits >> 13 & 0x3FFFF) - (112u << 10));
    const uint16_t narrow = static_cast<uint16_t>(dtype == "float16" ? half : bits >> 16);
    std::memcpy(bytes.data() + i * size, size == 4 ? static_cast<const void*>(&bits) : &narrow, size);
  }
  return bytes;
}

// Every other block, every query's lists alike, and the last key as a column where no tile has it.
bool run(Random& random, const Shape& s, const sk::KernelRow& row, Edge edge) {
  const std::string dtype = row.dtype, isa = row.isa;
  const std::vector<float> q = numbers(random, s.heads * s.queries * s.head_dim), k = numbers(random, s.kv_heads * s.keys * s.head_dim),
                           v = numbers(random, s.kv_heads * s.keys * s.head_dim);
  const Guarded<uint8_t> stored_q(stored(q, dtype), edge), stored_k(stored(k, dtype), edge), stored_v(stored(v, dtype), edge);
  const Guarded<float> output(q.size(), edge), lse(static_cast<size_t>(s.heads * s.queries), edge);
  std::vector<int32_t> ids, start, count;
  for (int64_t i = 0; i < (s.keys + s.block_keys - 1) / s.block_keys; i += 2) ids.push_back(static_cast<int32_t>(i));
  const int64_t rows = (s.queries + s.block_queries - 1) / s.block_queries;
  start.assign(static_cast<size_t>(rows), 0), count.assign(static_cast<size_t>(rows), static_cast<int32_t>(ids.size()));
  const bool last_is_listed = (s.keys - 1) / s.block_keys % 2 == 0;
  const std::vector<int32_t> column = {static_cast<int32_t>(s.keys - 1)}, columns(static_cast<size_t>(rows), last_is_listed ? 0 : 1);
  sk::AttendOptions o = {};
  o.batch = 1, o.heads = s.heads, o.kv_heads = s.kv_heads, o.head_dim = s.head_dim, o.queries = s.queries, o.keys = s.keys;
  o.lists_batch = 1, o.block_queries = s.block_queries, o.block_keys = s.block_keys, o.validate = true, o.causal = true;
  o.tiles = {start.data(), count.data(), ids.data(), rows, static_cast<int64_t>(ids.size())};
  o.columns = {start.data(), columns.data(), column.data(), rows, 1};
  o.scale = 0.25f, o.dtype = dtype, o.isa = isa, o.threads = 2;
  std::shared_ptr<const sk::AttendPlan> plan;
  if (!sk::AttendPlan::create(o, &plan).ok() || plan->kernel().name != std::string(row.name)) return false;
  sk::AttendOperands in = {};
  in.units = s.kv_heads, in.q = stored_q.data(), in.source.k = stored_k.data(), in.source.v = stored_v.data();
  if (!plan->run(in, {output.data(), lse.data(), nullptr}, nullptr).ok()) return false;
  bool ok = output.slack_untouched() && lse.slack_untouched();

  const int64_t d = s.head_dim;
  for (int64_t row = 0; row < s.heads * s.queries; ++row) {
    const int64_t kv = row / s.queries / (s.heads / s.kv_heads), position = row % s.queries + s.keys - s.queries;
    double sum = 0;
    std::vector<double> wanted(static_cast<size_t>(d), 0);
    for (int64_t j = 0; j < s.keys; ++j) {
      if (j > position || (j / s.block_keys % 2 == 1 && j != s.keys - 1)) continue;
      double score = 0;
      for (int64_t i = 0; i < d; ++i) score += q[static_cast<size_t>(row * d + i)] * k[static_cast<size_t>((kv * s.keys + j) * d + i)];
      const double weight = std::exp(score * 0.25);
      sum += weight;
      for (int64_t i = 0; i < d; ++i) wanted[static_cast<size_t>(i)] += weight * v[static_cast<size_t>((kv * s.keys + j) * d + i)];
    }
    for (int64_t i = 0; i < d; ++i)
      ok &= std::abs(output.data()[row * d + i] - (sum > 0 ? wanted[static_cast<size_t>(i)] / sum : 0)) <= 1e-4;
    ok &= sum > 0 ? std::abs(lse.data()[row] - std::log(sum)) <= 1e-4 * (1 + std::abs(std::log(sum))) : std::isinf(lse.data()[row]);
  }
  return ok;
}

bool caches(Random& random, bool tokens_outside) {
  const sk::KvShape shape = {2, 8, 4, 4, 12};
  sk::KvCache cache(shape);
  const std::vector<float> k = numbers(random, 2 * 8 * 6), v = numbers(random, 2 * 8 * 6);
  const Guarded<float> guarded_k(k, Edge::kEnd), guarded_v(v, Edge::kEnd);
  bool ok = cache.append(guarded_k.data(), guarded_v.data(), 6, tokens_outside).ok() && cache.length() == 6 && cache.pages() == 2;
  sk::KvCache fork = cache;  // shares both pages; the third belongs to whoever asks first
  const auto snapshot = cache.snapshot();
  ok &= fork.append(k.data(), v.data(), 1, tokens_outside).ok() && fork.length() == 7 && cache.length() == 6;
  ok &= cache.append(k.data(), v.data(), 6, tokens_outside).code() == sk::Code::kCapacity && cache.length() == 6;
  const Guarded<float> read_k(k.size(), Edge::kEnd), read_v(v.size(), Edge::kEnd);
  cache.read(0, 6, read_k.data(), read_v.data());
  for (int64_t h = 0; h < 2; ++h)
    for (int64_t t = 0; t < 6; ++t)
      for (int64_t i = 0; i < 8; ++i) {
        const size_t from = static_cast<size_t>(tokens_outside ? (t * 2 + h) * 8 + i : (h * 6 + t) * 8 + i);
        ok &= read_k.data()[(h * 6 + t) * 8 + i] == k[from] && read_v.data()[(h * 6 + t) * 8 + i] == v[from];
      }
  cache.truncate(0);
  fork.truncate(4);
  return ok && cache.pages() == 0 && fork.pages() == 1 && snapshot->length == 6;
}

}  // namespace

void attend_suite() {
  sk::ThreadPool::instance().retain();
  Random random(11);
  const Shape shapes[] = {{1, 1, 8, 1, 1, 1, 1},     {4, 1, 24, 1, 70, 1, 8},   {2, 2, 16, 3, 130, 2, 16},
                          {2, 1, 40, 9, 33, 16, 16}, {1, 1, 64, 70, 75, 64, 8}, {6, 2, 8, 5, 5, 5, 2}};
  const Shape of_keys[] = {
      {2, 1, 24, 40, 71, 1, 8}, {1, 1, 40, 50, 33, 1, 16}, {6, 2, 8, 11, 433, 2, 145}};  // for rows that take keys first
  for (const sk::KernelRow& row : sk::attend_kernels()) {
    if (!row.supported) continue;
    const bool keys_first = row.pattern == "keys";
    for (const Shape* s = keys_first ? std::begin(of_keys) : std::begin(shapes); s != (keys_first ? std::end(of_keys) : std::end(shapes));
         ++s)
      for (const Edge edge : {Edge::kStart, Edge::kEnd}) {
        at("%s, %d x %d, d %d", row.name, static_cast<int>(s->queries), static_cast<int>(s->keys), static_cast<int>(s->head_dim));
        check(run(random, *s, row, edge), "attend beside trapping pages");
      }
  }
  at("caches");
  check(caches(random, false) && caches(random, true), "append, fork, truncate, read");
  sk::ThreadPool::instance().release();
}

}  // namespace sk_test
