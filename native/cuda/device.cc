#include "device.h"

#include <cuda_runtime_api.h>

#include <utility>

namespace sk {
namespace {

constexpr int kLeastCapability = 80;  // mma.sp, cp.async

cudaStream_t as_stream(void* stream) { return static_cast<cudaStream_t>(stream); }

Status refuse(cudaError_t error, const char* what) { return Status(Code::kDevice, cuda_status(error, what).message()); }

// Device 0, without making a context on it.
Status find_device(cudaDeviceProp* properties) {
  int count = 0;
  if (const cudaError_t error = cudaGetDeviceCount(&count); error != cudaSuccess) return refuse(error, "looking for a device");
  if (count == 0) return Status(Code::kDevice, "CUDA sees no device");
  if (const cudaError_t error = cudaGetDeviceProperties(properties, 0); error != cudaSuccess) return refuse(error, "asking for properties");
  if (properties->major * 10 + properties->minor >= kLeastCapability) return Status();
  return Status(Code::kDevice, "expected a device of compute capability 8.0 or more but " + std::string(properties->name) + " has " +
                                   std::to_string(properties->major) + "." + std::to_string(properties->minor));
}

}  // namespace

Status cuda_status(int error, const char* what) {
  const auto code = static_cast<cudaError_t>(error);
  if (code == cudaSuccess) return Status();
  (void)cudaGetLastError();  // one that does not stick must not be seen by the next call
  const Code kind = code == cudaErrorMemoryAllocation ? Code::kMemory : Code::kCuda;
  return Status(kind, std::string(what) + " failed: " + cudaGetErrorName(code) + " (" + cudaGetErrorString(code) + ")");
}

CudaBuffer& CudaBuffer::operator=(CudaBuffer&& other) noexcept {
  std::swap(device_, other.device_);
  std::swap(data_, other.data_);
  std::swap(bytes_, other.bytes_);
  return *this;
}

Status CudaBuffer::reserve(std::shared_ptr<const CudaDevice> device, size_t bytes) {
  release();
  if (bytes == 0) return Status();
  void* data = nullptr;
  const Status status = cuda_status(cudaMallocAsync(&data, bytes, as_stream(device->stream())), "allocating device memory");
  if (!status.ok()) return Status(status.code(), status.message() + "; " + std::to_string(bytes) + " bytes were asked for");
  device_ = std::move(device);
  data_ = data;
  bytes_ = bytes;
  return Status();
}

void CudaBuffer::release() {
  if (data_ != nullptr)
    (void)cudaFreeAsync(data_, as_stream(device_->stream()));  // fails only where the context is lost, and the memory with it
  device_.reset();
  data_ = nullptr;
  bytes_ = 0;
}

Status CudaBuffer::upload(const void* host, size_t bytes) {
  if (bytes == 0) return Status();
  device_->uploads_ += 1;
  device_->uploaded_bytes_ += static_cast<int64_t>(bytes);
  return cuda_status(cudaMemcpyAsync(data_, host, bytes, cudaMemcpyHostToDevice, as_stream(device_->stream())), "copying to the device");
}

Status CudaBuffer::download(void* host, size_t bytes) const {
  if (bytes == 0) return Status();
  device_->downloads_ += 1;
  device_->downloaded_bytes_ += static_cast<int64_t>(bytes);
  return cuda_status(cudaMemcpyAsync(host, data_, bytes, cudaMemcpyDeviceToHost, as_stream(device_->stream())), "copying from the device");
}

PinnedBuffer& PinnedBuffer::operator=(PinnedBuffer&& other) noexcept {
  std::swap(device_, other.device_);
  std::swap(data_, other.data_);
  std::swap(bytes_, other.bytes_);
  return *this;
}

// The smallest idle buffer that is large enough, else a new one: pinning memory takes longer than most copies.
Status PinnedBuffer::reserve(std::shared_ptr<const CudaDevice> device, size_t bytes) {
  *this = PinnedBuffer();
  if (bytes == 0) return Status();
  device_ = std::move(device);
  {
    const std::lock_guard<std::mutex> lock(device_->idle_mutex_);
    auto& idle = device_->idle_;
    auto best = idle.end();
    for (auto it = idle.begin(); it != idle.end(); ++it)
      if (it->bytes >= bytes && (best == idle.end() || it->bytes < best->bytes)) best = it;
    if (best != idle.end()) {
      data_ = best->data;
      bytes_ = best->bytes;
      idle.erase(best);
      return Status();
    }
  }
  bytes_ = bytes;
  return cuda_status(cudaMallocHost(&data_, bytes), "allocating pinned host memory");
}

// Keeps the last few, unless they are large.
PinnedBuffer::~PinnedBuffer() {
  constexpr size_t kMost = 4, kLargest = size_t{64} << 20;
  if (data_ == nullptr) return;
  if (bytes_ <= kLargest) {
    const std::lock_guard<std::mutex> lock(device_->idle_mutex_);
    auto& idle = device_->idle_;
    idle.push_back({data_, bytes_});
    if (idle.size() <= kMost) return;
    data_ = idle.front().data;
    idle.erase(idle.begin());
  }
  (void)cudaFreeHost(data_);
}

bool cuda_available() {
  static const bool available = [] {
    cudaDeviceProp properties;
    return find_device(&properties).ok();
  }();
  return available;
}

Status CudaDevice::open(std::shared_ptr<const CudaDevice>* result) {
  cudaDeviceProp properties;
  if (Status status = find_device(&properties); !status.ok()) return status;
  std::shared_ptr<CudaDevice> device(new CudaDevice);
  device->name_ = properties.name;
  device->compute_capability_ = properties.major * 10 + properties.minor;
  device->multiprocessors_ = properties.multiProcessorCount;
  device->shared_bytes_ = static_cast<int64_t>(properties.sharedMemPerBlockOptin);
  device->memory_bytes_ = static_cast<int64_t>(properties.totalGlobalMem);
  *result = std::move(device);
  return Status();
}

// Where no stream can be made the default one says why: with whatever is asked of it next.
const std::shared_ptr<const CudaStream>& CudaDevice::own_stream() const {
  std::call_once(stream_made_, [this] {
    if (!CudaStream::create(&stream_).ok()) stream_ = std::make_shared<const CudaStream>(nullptr);
  });
  return stream_;
}

const std::shared_ptr<const CudaStream>& CudaDevice::current_stream() const {
  const auto* current = CudaStreamScope::current();
  return current ? *current : own_stream();
}

CudaDevice::~CudaDevice() {
  for (const Pinned& pinned : idle_) (void)cudaFreeHost(pinned.data);
}

Status CudaDevice::synchronize() const { return current_stream()->synchronize(); }

CudaCopies CudaDevice::copies() const { return {uploads_, uploaded_bytes_, downloads_, downloaded_bytes_}; }

Status upload_all(const std::shared_ptr<const CudaDevice>& device, const void* host, size_t bytes, CudaBuffer* buffer) {
  Status status = buffer->reserve(device, bytes);
  if (status.ok()) status = buffer->upload(host, bytes);
  return status.ok() ? device->synchronize() : status;
}

}  // namespace sk
