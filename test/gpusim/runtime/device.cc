#include "device.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <iterator>
#include <utility>

namespace gpusim {
namespace {

constexpr size_t kKb = 1 << 10, kMb = 1 << 20, kGb = 1 << 30;
constexpr DeviceModel kModels[] = {
    {"a100", "gpusim A100", 8, 0, 108, 80 * kGb, 164 * kKb, 163 * kKb, 2048, 32, 40 * kMb, 5120},
    {"rtx3090", "gpusim RTX 3090", 8, 6, 82, 24 * kGb, 100 * kKb, 99 * kKb, 1536, 16, 6 * kMb, 384},
    {"h100", "gpusim H100", 9, 0, 132, 80 * kGb, 228 * kKb, 227 * kKb, 2048, 32, 50 * kMb, 5120},
    {"v100", "gpusim V100", 7, 0, 80, 32 * kGb, 96 * kKb, 96 * kKb, 2048, 32, 6 * kMb, 4096},
};

const DeviceModel& named_model() {
  const char* name = std::getenv("GPUSIM_DEVICE");
  if (!name) return kModels[0];
  for (const DeviceModel& model : kModels)
    if (std::strcmp(name, model.name) == 0) return model;
  std::fprintf(stderr, "gpusim: GPUSIM_DEVICE: expected a100, rtx3090, h100 or v100 but received '%s'\n", name);
  std::exit(1);
}

size_t number(const char* variable, size_t otherwise) {
  const char* text = std::getenv(variable);
  if (!text) return otherwise;
  char* end;
  const unsigned long long value = std::strtoull(text, &end, 10);
  if (*text >= '0' && *text <= '9' && !*end) return value;
  std::fprintf(stderr, "gpusim: %s: expected a number but received '%s'\n", variable, text);
  std::exit(1);
}

}  // namespace

const DeviceModel& device_model() {
  static const DeviceModel chosen = [] {
    DeviceModel model = named_model();
    model.sm_count = static_cast<int>(number("GPUSIM_MULTIPROCESSORS", static_cast<size_t>(model.sm_count)));
    return model;
  }();
  return chosen;
}

size_t memory_bytes() { return number("GPUSIM_MEMORY", device_model().memory_bytes); }

Occupancy occupancy(const DeviceModel& model, int threads, int registers, size_t shared_bytes) {
  const int warps = (threads + 31) / 32;
  const int registers_per_warp = std::max((registers * 32 + 255) / 256 * 256, 256);
  const size_t shared = (shared_bytes + kReservedPerBlock + 127) / 128 * 128;
  const std::pair<int, const char*> limits[] = {
      {model.threads_per_sm / 32 / warps, "threads"},
      {model.blocks_per_sm, "blocks"},
      {kRegistersPerSm / registers_per_warp / 4 * 4 / warps, "registers"},  // warps live in four partitions
      {static_cast<int>(model.shared_per_sm / shared), "shared memory"},
  };
  const auto least = std::min_element(std::begin(limits), std::end(limits), [](const auto& a, const auto& b) { return a.first < b.first; });
  return {least->first, least->second};
}

}  // namespace gpusim
