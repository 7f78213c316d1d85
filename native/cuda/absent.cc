// A build without CUDA: no device can be opened, so nothing else is ever reached.
#include <utility>

#include "device.h"

namespace sk {

Status cuda_status(int, const char*) { return Status(Code::kDevice, "this build has no CUDA"); }

CudaBuffer& CudaBuffer::operator=(CudaBuffer&&) noexcept { return *this; }
Status CudaBuffer::reserve(std::shared_ptr<const CudaDevice>, size_t) { return cuda_status(0, ""); }
void CudaBuffer::release() {}
Status CudaBuffer::upload(const void*, size_t) { return cuda_status(0, ""); }
Status CudaBuffer::download(void*, size_t) const { return cuda_status(0, ""); }

PinnedBuffer::~PinnedBuffer() = default;
PinnedBuffer& PinnedBuffer::operator=(PinnedBuffer&&) noexcept { return *this; }
Status PinnedBuffer::reserve(std::shared_ptr<const CudaDevice>, size_t) { return cuda_status(0, ""); }

bool cuda_available() { return false; }

Status CudaDevice::open(std::shared_ptr<const CudaDevice>*) {
  return Status(Code::kDevice, "this binary was built without CUDA: nvcc was not found, or SK_CUDA was OFF");
}
CudaDevice::~CudaDevice() = default;
const std::shared_ptr<const CudaStream>& CudaDevice::own_stream() const { return stream_; }
const std::shared_ptr<const CudaStream>& CudaDevice::current_stream() const { return stream_; }
Status CudaDevice::synchronize() const { return cuda_status(0, ""); }
CudaCopies CudaDevice::copies() const { return {0, 0, 0, 0}; }

CudaStream::~CudaStream() = default;
Status CudaStream::create(std::shared_ptr<const CudaStream>*) { return cuda_status(0, ""); }
Status CudaStream::synchronize() const { return cuda_status(0, ""); }
CudaEvent::~CudaEvent() = default;
Status CudaEvent::record(const CudaStream&, std::shared_ptr<const CudaEvent>*) { return cuda_status(0, ""); }
CudaStreamScope::CudaStreamScope(std::shared_ptr<const CudaStream> stream) : stream_(std::move(stream)), outer_(nullptr) {}
CudaStreamScope::~CudaStreamScope() = default;
Status CudaUses::order(const CudaStream&, CudaAccess) const { return cuda_status(0, ""); }
void CudaUses::note(const std::shared_ptr<const CudaStream>&, CudaAccess, const std::shared_ptr<const CudaEvent>&) {}
std::shared_ptr<const CudaStream> CudaUses::last() const { return nullptr; }
Status note_uses(const std::shared_ptr<const CudaStream>&, const std::vector<CudaUse>&) { return cuda_status(0, ""); }
Status on_stream(const std::shared_ptr<const CudaStream>&, const std::vector<CudaUse>&, bool, const std::function<Status()>&) {
  return cuda_status(0, "");
}

Status upload_all(const std::shared_ptr<const CudaDevice>&, const void*, size_t, CudaBuffer*) { return cuda_status(0, ""); }

}  // namespace sk
