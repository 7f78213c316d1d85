// Matrices of small whole numbers, and their products.
#pragma once
#include "harness.h"

// Small integers are exact in every type.
inline std::vector<int> small(size_t count, uint64_t seed, int from = -4, int to = 4) {
  std::vector<int> v(count);
  for (int& x : v) x = from + static_cast<int>(next_random(seed) % static_cast<unsigned>(to - from + 1));
  return v;
}
template <class T>
std::vector<T> as(const std::vector<int>& from) {
  std::vector<T> to;
  for (int x : from) to.push_back(static_cast<T>(static_cast<float>(x)));
  return to;
}
// m x n = (m x k) (k x n)^T-stored: b holds column after column.
inline std::vector<int> dense_product(const std::vector<int>& a, const std::vector<int>& b, int m, int n, int k) {
  std::vector<int> c(m * n);
  for (int i = 0; i < m; ++i)
    for (int j = 0; j < n; ++j)
      for (int l = 0; l < k; ++l) c[i * n + j] += a[i * k + l] * b[j * k + l];
  return c;
}
