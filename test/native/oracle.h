// Made-up data and the float64 oracle. It works on the dense pruned weight and knows nothing of the packed format.
#pragma once

#include <cfloat>
#include <cstdint>
#include <cstring>
#include <vector>

namespace sk_test {

struct Pattern {
  int n, m;
  int64_t rows = 1;  // that share their columns
};

class Random {
 public:
  explicit Random(uint64_t seed) : state_(seed * 0x9E3779B97F4A7C15u + 1) {}
  uint32_t bits() {  // splitmix64
    uint64_t z = state_ += 0x9E3779B97F4A7C15u;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return static_cast<uint32_t>(z >> 32);
  }
  int below(int end) { return static_cast<int>(bits() % static_cast<uint32_t>(end)); }
  // Integers of -8 .. 8: sums of products of them are exact in float32. Reals of -1 .. 1.
  float value(bool integer) { return integer ? static_cast<float>(below(17) - 8) : static_cast<float>(bits()) * 0x1p-31f - 1; }

 private:
  uint64_t state_;
};

inline std::vector<float> random_dense(Random& random, int64_t count, bool integers) {
  std::vector<float> values(static_cast<size_t>(count));
  for (float& value : values) value = random.value(integers);
  return values;
}

// A pruned weight [out, in]: most groups keep n, some fewer, some rows nothing.
// Pattern 0:0: about a third of the weights, at any place.
inline std::vector<float> random_sparse(Random& random, int64_t out, int64_t in, Pattern p, bool integers) {
  std::vector<float> weight(static_cast<size_t>(out * in));
  for (int64_t row = 0; row < out; ++row) {
    if (row % p.rows != 0) {
      const float* first = weight.data() + row / p.rows * p.rows * in;
      for (int64_t i = 0; i < in; ++i)
        if (first[i] != 0) weight[static_cast<size_t>(row * in + i)] = random.value(integers);
      continue;
    }
    if (random.below(16) == 0) continue;
    for (int64_t i = 0; i < in && p.m == 0; ++i)
      if (random.below(3) == 0) weight[static_cast<size_t>(row * in + i)] = random.value(integers);
    if (p.m == 0) continue;
    for (int64_t first = 0; first < in; first += p.m) {
      int left = random.below(4) == 0 ? random.below(p.n + 1) : p.n;
      const int64_t size = in - first < p.m ? in - first : p.m;
      for (int64_t i = 0; i < size && left > 0; ++i) {  // position i is kept with probability left / (size - i)
        if (random.below(static_cast<int>(size - i)) >= left) continue;
        const float value = random.value(integers);
        weight[static_cast<size_t>(row * in + first + i)] = value == 0 ? 1 : value;
        --left;
      }
    }
  }
  return weight;
}

// y[t, o] = act(bias[o] + sum over i of weight[o, i] * x[t, i]); an empty bias stands for zeros.
inline std::vector<double> oracle(const std::vector<float>& weight, const std::vector<float>& bias, const std::vector<float>& x,
                                  int64_t tokens, int64_t in, int64_t out, bool relu) {
  std::vector<double> y(static_cast<size_t>(tokens * out));
  for (int64_t t = 0; t < tokens; ++t)
    for (int64_t o = 0; o < out; ++o) {
      const float *s = weight.data() + o * in, *v = x.data() + t * in;
      double sum = bias.empty() ? 0 : bias[static_cast<size_t>(o)];
      for (int64_t i = 0; i < in; ++i) sum += static_cast<double>(s[i]) * v[i];
      y[static_cast<size_t>(t * out + o)] = relu && sum < 0 ? 0 : sum;
    }
  return y;
}

// Bound of the rounding errors of `terms` products of values of at most 1 plus a bias of at most 1; exact for integers.
inline double tolerance(int64_t terms, bool integers) {
  return integers ? 0 : static_cast<double>(FLT_EPSILON) * (static_cast<double>(terms) + 2);
}

// Index of the first value that is off by more than `tolerance` (NaN is), or -1.
inline int64_t first_difference(const float* actual, const std::vector<double>& expected, double tolerance) {
  for (size_t i = 0; i < expected.size(); ++i) {
    const double difference = actual[i] > expected[i] ? actual[i] - expected[i] : expected[i] - actual[i];
    if (!(difference <= tolerance)) return static_cast<int64_t>(i);
  }
  return -1;
}

inline bool same_bits(const float* a, const float* b, int64_t count) {
  return count == 0 || std::memcmp(a, b, static_cast<size_t>(count) * sizeof(float)) == 0;
}

}  // namespace sk_test
