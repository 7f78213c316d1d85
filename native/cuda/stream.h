// Streams of a CUDA device, and what keeps the work of several in order. stream.cc has it with CUDA, absent.cc without.
//
// A thread works for one stream at a time: that of its CudaStreamScope, else the device's own. What a verb allocates, launches, waits for
// and frees, it does there, so that no verb names a stream. Memory that several streams may use has CudaUses, and on_stream() does the
// rest:
//
//   order()   the stream waits, on the device, for what others do with the memory
//   work      is put on the stream
//   note()    an event behind it, for those who come later
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <vector>

#include "../core/status.h"

namespace sk {

class CudaStream {
 public:
  // One that waits for no other by itself. kCuda where the device makes none.
  static Status create(std::shared_ptr<const CudaStream>* stream);
  // Takes over a cudaStream_t; null is CUDA's default stream.
  explicit CudaStream(void* handle) : handle_(handle) {}
  // Its work goes on.
  ~CudaStream();
  CudaStream(const CudaStream&) = delete;
  CudaStream& operator=(const CudaStream&) = delete;

  void* handle() const { return handle_; }
  // Waits until its work is done. Errors of kernels that ran since the last call come out here.
  Status synchronize() const;

 private:
  friend Status note_uses(const std::shared_ptr<const CudaStream>& stream, const std::vector<struct CudaUse>& uses);
  void* const handle_;
  mutable std::mutex notes_;  // events are noted in the order in which they are recorded
};

// A point in the work of a stream.
class CudaEvent {
 public:
  // Behind all that was put on the stream so far.
  static Status record(const CudaStream& stream, std::shared_ptr<const CudaEvent>* event);
  ~CudaEvent();
  CudaEvent(const CudaEvent&) = delete;
  CudaEvent& operator=(const CudaEvent&) = delete;

  // What is put on the stream from now on waits for it; the caller does not.
  Status precede(const CudaStream& stream) const;
  bool passed() const;

 private:
  explicit CudaEvent(void* handle) : handle_(handle) {}
  void* const handle_;
};

// Makes the current thread work for a stream; null: for the device's own. Scopes nest.
class CudaStreamScope {
 public:
  explicit CudaStreamScope(std::shared_ptr<const CudaStream> stream);
  ~CudaStreamScope();
  CudaStreamScope(const CudaStreamScope&) = delete;
  CudaStreamScope& operator=(const CudaStreamScope&) = delete;
  // Of the innermost scope; null: the device's own, as outside of any.
  static const std::shared_ptr<const CudaStream>* current();

 private:
  const std::shared_ptr<const CudaStream> stream_;
  const std::shared_ptr<const CudaStream>* const outer_;
};

enum class CudaAccess : uint8_t { kRead, kWrite };

// What streams do with a block of memory. From any thread.
class CudaUses {
 public:
  // Has the stream wait for other streams: a read for writes, a write for all uses.
  Status order(const CudaStream& stream, CudaAccess access) const;
  void note(const std::shared_ptr<const CudaStream>& stream, CudaAccess access, const std::shared_ptr<const CudaEvent>& event);
  // The stream of the last use, which then waits for all others: what is freed there is freed behind every use. Null without any.
  std::shared_ptr<const CudaStream> last() const;

 private:
  struct Use {
    std::shared_ptr<const CudaStream> stream;
    std::shared_ptr<const CudaEvent> write, any;
  };
  mutable std::mutex mutex_;
  std::vector<Use> uses_;  // one a stream, the latest at the end; those that are past go when others come
};

struct CudaUse {
  CudaUses* uses;
  CudaAccess access;
};

// Whatever the stream was given so far uses the memory.
Status note_uses(const std::shared_ptr<const CudaStream>& stream, const std::vector<CudaUse>& uses);

// Calls `work` with the thread working for the stream, in order with all other uses of the same memory. With `wait` it returns when that
// work is done; likewise where it failed, since a part of it may be under way.
Status on_stream(const std::shared_ptr<const CudaStream>& stream, const std::vector<CudaUse>& uses, bool wait,
                 const std::function<Status()>& work);

}  // namespace sk
