#include "fatbin.h"

#include <cstdint>
#include <cstring>

namespace gpusim {
namespace {

struct Wrapper {
  uint32_t magic, version;
  const void* data;
  const void* unused;
};
struct Container {
  uint32_t magic;
  uint16_t version, header_bytes;
  uint64_t bytes;  // after the header
};
struct Entry {
  uint16_t kind, version;
  uint32_t header_bytes;
  uint64_t bytes;
  uint32_t compressed_bytes, options_offset;
  uint16_t minor, major;
  uint32_t architecture;
  uint32_t name_offset, name_bytes;
  uint64_t flags;
};
constexpr uint32_t kWrapperMagic = 0x466243b1, kContainerMagic = 0xba55ed50;
constexpr uint16_t kPtx = 1;
constexpr uint64_t kCompressed = 0x2000 | 0x8000;  // LZ4, Zstandard

}  // namespace

std::string ptx_of(const void* wrapper, int capability, std::string* problem) {
  Wrapper w;
  std::memcpy(&w, wrapper, sizeof w);
  Container c = {};
  if (w.magic == kWrapperMagic && w.data) std::memcpy(&c, w.data, sizeof c);
  if (c.magic != kContainerMagic) {
    *problem = "the program registers a fat binary of an unknown layout";
    return "";
  }
  const uint8_t *at = static_cast<const uint8_t*>(w.data) + c.header_bytes, *end = at + c.bytes;
  std::string best;
  uint32_t best_architecture = 0, too_new = 0;
  bool compressed = false;
  while (at + sizeof(Entry) <= end) {
    Entry e;
    std::memcpy(&e, at, sizeof e);
    if (e.header_bytes < sizeof e || e.bytes > static_cast<uint64_t>(end - at) - e.header_bytes) break;
    if (e.kind == kPtx) {
      if (e.flags & kCompressed || e.compressed_bytes)
        compressed = true;
      else if (e.architecture > static_cast<uint32_t>(capability))
        too_new = e.architecture;
      else if (e.architecture >= best_architecture)
        best_architecture = e.architecture, best.assign(reinterpret_cast<const char*>(at + e.header_bytes), e.bytes);
    }
    at += e.header_bytes + e.bytes;
  }
  if (best.empty())
    *problem = compressed ? "the PTX of the program is compressed: build it with nvcc -no-compress"
               : too_new  ? "the program has PTX for compute_" + std::to_string(too_new) +
                                " only, and the simulated device has compute capability " + std::to_string(capability / 10) + "." +
                                std::to_string(capability % 10)
                          : "the program has no PTX: build it with nvcc -gencode arch=compute_80,code=compute_80";
  return best;
}

}  // namespace gpusim
