// The devices that can be simulated, and what their limits make of a launch.
#pragma once
#include <cstddef>

namespace gpusim {

struct DeviceModel {
  const char* name;  // of GPUSIM_DEVICE
  const char* full_name;
  int major, minor;
  int sm_count;
  size_t memory_bytes;
  size_t shared_per_sm, shared_per_block_optin;
  int threads_per_sm, blocks_per_sm;
  size_t l2_bytes;
  int bus_width;

  int capability() const { return major * 10 + minor; }
};

constexpr size_t kSharedPerBlock = 48 << 10, kReservedPerBlock = 1 << 10;
constexpr int kRegistersPerSm = 65536, kMaxThreadsPerBlock = 1024, kMaxRegistersPerThread = 255;

const DeviceModel& device_model();  // GPUSIM_DEVICE, a100 if it is not set; ends the process with a message if it is unknown

size_t memory_bytes();  // GPUSIM_MEMORY, which may change while the process runs, or what the model has

struct Occupancy {
  int blocks = 0;  // of one multiprocessor
  const char* limit = "";
};
Occupancy occupancy(const DeviceModel& model, int threads, int registers, size_t shared_bytes);

}  // namespace gpusim
