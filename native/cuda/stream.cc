#include "stream.h"

#include <cuda_runtime_api.h>

#include <algorithm>
#include <utility>

#include "device.h"

namespace sk {
namespace {

thread_local const std::shared_ptr<const CudaStream>* current_stream = nullptr;

cudaStream_t handle_of(const CudaStream& stream) { return static_cast<cudaStream_t>(stream.handle()); }

}  // namespace

Status CudaStream::create(std::shared_ptr<const CudaStream>* stream) {
  cudaStream_t handle = nullptr;
  const Status status = cuda_status(cudaStreamCreateWithFlags(&handle, cudaStreamNonBlocking), "making a stream");
  if (status.ok()) *stream = std::make_shared<const CudaStream>(handle);
  return status;
}

CudaStream::~CudaStream() {
  if (handle_ != nullptr) (void)cudaStreamDestroy(static_cast<cudaStream_t>(handle_));  // at process exit CUDA may be gone already
}

Status CudaStream::synchronize() const { return cuda_status(cudaStreamSynchronize(handle_of(*this)), "the work of a stream"); }

Status CudaEvent::record(const CudaStream& stream, std::shared_ptr<const CudaEvent>* event) {
  cudaEvent_t handle = nullptr;
  Status status = cuda_status(cudaEventCreateWithFlags(&handle, cudaEventDisableTiming), "making an event");
  if (!status.ok()) return status;
  const std::shared_ptr<const CudaEvent> made(new CudaEvent(handle));
  status = cuda_status(cudaEventRecord(handle, handle_of(stream)), "recording an event");
  if (status.ok()) *event = made;
  return status;
}

CudaEvent::~CudaEvent() { (void)cudaEventDestroy(static_cast<cudaEvent_t>(handle_)); }

Status CudaEvent::precede(const CudaStream& stream) const {
  return cuda_status(cudaStreamWaitEvent(handle_of(stream), static_cast<cudaEvent_t>(handle_), 0), "waiting for another stream");
}

bool CudaEvent::passed() const { return cudaEventQuery(static_cast<cudaEvent_t>(handle_)) == cudaSuccess; }

CudaStreamScope::CudaStreamScope(std::shared_ptr<const CudaStream> stream) : stream_(std::move(stream)), outer_(current_stream) {
  current_stream = stream_ ? &stream_ : nullptr;
}

CudaStreamScope::~CudaStreamScope() { current_stream = outer_; }

const std::shared_ptr<const CudaStream>* CudaStreamScope::current() { return current_stream; }

Status CudaUses::order(const CudaStream& stream, CudaAccess access) const {
  const std::lock_guard<std::mutex> lock(mutex_);
  for (const Use& use : uses_) {
    const auto& event = access == CudaAccess::kRead ? use.write : use.any;
    if (use.stream.get() == &stream || !event) continue;
    if (Status status = event->precede(stream); !status.ok()) return status;
  }
  return Status();
}

void CudaUses::note(const std::shared_ptr<const CudaStream>& stream, CudaAccess access, const std::shared_ptr<const CudaEvent>& event) {
  const std::lock_guard<std::mutex> lock(mutex_);
  Use use = {stream, nullptr, nullptr};
  const auto own = std::find_if(uses_.begin(), uses_.end(), [&](const Use& u) { return u.stream == stream; });
  if (own != uses_.end()) {
    use = std::move(*own);
    uses_.erase(own);
  }
  uses_.erase(std::remove_if(uses_.begin(), uses_.end(), [](const Use& u) { return u.any->passed(); }), uses_.end());
  use.any = event;
  if (access == CudaAccess::kWrite) use.write = event;
  uses_.push_back(std::move(use));
}

std::shared_ptr<const CudaStream> CudaUses::last() const {
  const std::lock_guard<std::mutex> lock(mutex_);
  if (uses_.empty()) return nullptr;
  for (size_t i = 0; i + 1 < uses_.size(); ++i) (void)uses_[i].any->precede(*uses_.back().stream);  // fails only where the context is lost
  return uses_.back().stream;
}

Status note_uses(const std::shared_ptr<const CudaStream>& stream, const std::vector<CudaUse>& uses) {
  const std::lock_guard<std::mutex> lock(stream->notes_);
  std::shared_ptr<const CudaEvent> event;
  const Status status = CudaEvent::record(*stream, &event);
  if (status.ok())
    for (const CudaUse& use : uses) use.uses->note(stream, use.access, event);
  return status;
}

Status on_stream(const std::shared_ptr<const CudaStream>& stream, const std::vector<CudaUse>& uses, bool wait,
                 const std::function<Status()>& work) {
  const CudaStreamScope scope(stream);
  Status status;
  for (const CudaUse& use : uses)
    if (status.ok()) status = use.uses->order(*stream, use.access);
  if (status.ok()) status = work();
  const Status noted = note_uses(stream, uses);
  if (status.ok()) status = noted;
  if (!wait && status.ok()) return status;
  const Status done = stream->synchronize();
  return status.ok() ? done : status;
}

}  // namespace sk
