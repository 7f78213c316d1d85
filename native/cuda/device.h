// A CUDA device as the verbs and the boundary see it: memory and copies, on the stream that the thread works for (stream.h), without CUDA's
// headers. device.cc has it with CUDA, absent.cc without. Everything may be called from any thread; only what says so waits for the device.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "../core/status.h"
#include "stream.h"

namespace sk {

// What a call of CUDA's runtime returned; 0 is success. The message names `what` was tried.
Status cuda_status(int error, const char* what);

// Copies between host and device since the device was opened.
struct CudaCopies {
  int64_t uploads, uploaded_bytes, downloads, downloaded_bytes;
};

class CudaDevice;

// Device memory, allocated and freed in the order of the thread's stream. What other streams use, too, is freed in the scope of
// CudaUses::last(). Movable, not copyable.
class CudaBuffer {
 public:
  CudaBuffer() = default;
  ~CudaBuffer() { release(); }
  CudaBuffer(CudaBuffer&& other) noexcept { *this = std::move(other); }
  CudaBuffer& operator=(CudaBuffer&& other) noexcept;
  CudaBuffer(const CudaBuffer&) = delete;
  CudaBuffer& operator=(const CudaBuffer&) = delete;

  // 256-byte aligned, not initialised; any earlier block is freed. kMemory where the device has no more.
  Status reserve(std::shared_ptr<const CudaDevice> device, size_t bytes);
  void release();

  // From and to host memory, which must stay until the device has been waited for (synchronize()).
  Status upload(const void* host, size_t bytes);
  Status download(void* host, size_t bytes) const;

  size_t bytes() const { return bytes_; }
  const CudaDevice* device() const { return device_.get(); }
  const std::shared_ptr<const CudaDevice>& shared_device() const { return device_; }
  template <class T>
  T* as() const {
    return static_cast<T*>(data_);
  }

 private:
  std::shared_ptr<const CudaDevice> device_;
  void* data_ = nullptr;
  size_t bytes_ = 0;
};

// Host memory that the device copies at full speed, from the pool of a device and back to it. Movable, not copyable.
class PinnedBuffer {
 public:
  PinnedBuffer() = default;
  ~PinnedBuffer();
  PinnedBuffer(PinnedBuffer&& other) noexcept { *this = std::move(other); }
  PinnedBuffer& operator=(PinnedBuffer&& other) noexcept;
  PinnedBuffer(const PinnedBuffer&) = delete;
  PinnedBuffer& operator=(const PinnedBuffer&) = delete;

  // At least so many bytes, not initialised.
  Status reserve(std::shared_ptr<const CudaDevice> device, size_t bytes);
  void* data() const { return data_; }

 private:
  friend class CudaDevice;
  std::shared_ptr<const CudaDevice> device_;
  void* data_ = nullptr;
  size_t bytes_ = 0;
};

// Whether open() would find a device; looked up once.
bool cuda_available();

class CudaDevice {
 public:
  // Device 0 of those that CUDA_VISIBLE_DEVICES leaves. kDevice, with the reason, where there is none that these kernels run on.
  static Status open(std::shared_ptr<const CudaDevice>* device);
  ~CudaDevice();

  // The device's own stream, made with its context when it is first needed.
  const std::shared_ptr<const CudaStream>& own_stream() const;
  // The one that the thread works for, and its cudaStream_t.
  const std::shared_ptr<const CudaStream>& current_stream() const;
  void* stream() const { return current_stream()->handle(); }
  // Waits until all work of that stream is done. Errors of kernels that ran since the last call come out here.
  Status synchronize() const;
  CudaCopies copies() const;

  const std::string& name() const { return name_; }
  int multiprocessors() const { return multiprocessors_; }
  int compute_capability() const { return compute_capability_; }  // 80: sm_80
  int64_t shared_bytes() const { return shared_bytes_; }          // that one block of threads can have
  int64_t memory_bytes() const { return memory_bytes_; }

 private:
  friend class CudaBuffer;
  friend class PinnedBuffer;
  struct Pinned {
    void* data;
    size_t bytes;
  };

  CudaDevice() = default;

  mutable std::once_flag stream_made_;
  mutable std::shared_ptr<const CudaStream> stream_;
  std::string name_;
  int multiprocessors_ = 0, compute_capability_ = 0;
  int64_t shared_bytes_ = 0, memory_bytes_ = 0;
  mutable std::mutex idle_mutex_;
  mutable std::vector<Pinned> idle_;  // of finished copies
  mutable std::atomic<int64_t> uploads_{0}, uploaded_bytes_{0}, downloads_{0}, downloaded_bytes_{0};
};

// A copy of host memory on the device, complete when it returns.
Status upload_all(const std::shared_ptr<const CudaDevice>& device, const void* host, size_t bytes, CudaBuffer* buffer);

}  // namespace sk
