// The frame of the test programs: PROGRAM(name) { ... } and main. Without arguments a binary runs all its programs; with names, those.
#pragma once
#include <cuda_runtime.h>

#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <functional>
#include <map>
#include <string>
#include <vector>

inline std::map<std::string, std::function<void()>>& programs() {
  static std::map<std::string, std::function<void()>> all;
  return all;
}
inline int& failures() {
  static int count = 0;
  return count;
}
struct Register {
  Register(const char* name, std::function<void()> run) { programs()[name] = std::move(run); }
};
#define PROGRAM(name)                                     \
  static void program_##name();                           \
  static Register register_##name(#name, program_##name); \
  static void program_##name()

#define EXPECT(condition)                                                                     \
  do {                                                                                        \
    if (!(condition)) {                                                                       \
      if (failures()++ < 20) std::printf("FAIL %s:%d: %s\n", __FILE__, __LINE__, #condition); \
    }                                                                                         \
  } while (0)
#define CUDA(call)                                                                                                    \
  do {                                                                                                                \
    const cudaError_t error = (call);                                                                                 \
    if (error != cudaSuccess) {                                                                                       \
      if (failures()++ < 20) std::printf("FAIL %s:%d: %s: %s\n", __FILE__, __LINE__, #call, cudaGetErrorName(error)); \
    }                                                                                                                 \
  } while (0)

// Device memory with the contents of a vector.
template <class T>
struct Device {
  explicit Device(const std::vector<T>& from) : size(from.size()) {
    CUDA(cudaMalloc(&data, size * sizeof(T)));
    CUDA(cudaMemcpy(data, from.data(), size * sizeof(T), cudaMemcpyHostToDevice));
  }
  explicit Device(size_t size) : size(size) { CUDA(cudaMalloc(&data, size * sizeof(T))); }
  ~Device() { cudaFree(data); }
  Device(const Device&) = delete;
  std::vector<T> host() const {
    std::vector<T> to(size);
    CUDA(cudaMemcpy(to.data(), data, size * sizeof(T), cudaMemcpyDeviceToHost));
    return to;
  }
  T* data = nullptr;
  size_t size;
};

inline uint32_t next_random(uint64_t& state) {
  state = state * 6364136223846793005u + 1442695040888963407u;
  return static_cast<uint32_t>(state >> 33);
}

int main(int count, char** names) {
  int ran = 0;
  for (auto& [name, run] : programs()) {
    bool wanted = count < 2;
    for (int i = 1; i < count; ++i) wanted |= name == names[i];
    if (!wanted) continue;
    const int before = failures();
    run();
    ++ran;
    if (failures() == before)
      std::printf("ok %s\n", name.c_str());
    else
      std::printf("FAIL %s\n", name.c_str());
  }
  std::printf("%d programs, %d failures\n", ran, failures());
  return failures() || ran == 0 ? 1 : 0;
}
