// Streams and events. The queue does all work in the order of the calls, so a stream never has to wait for an event: that it would is kept
// in clocks, by which accesses are checked.
#include <algorithm>

#include "runtime.h"

using namespace gpusim;

namespace {

cudaError_t no_stream(const char* what) {
  return complain(cudaErrorInvalidResourceHandle, std::string(what) + ": a stream that does not exist");
}
cudaError_t no_event(const char* what) {
  return complain(cudaErrorInvalidResourceHandle, std::string(what) + ": an event that does not exist");
}

cudaError_t create_stream(cudaStream_t* stream, unsigned flags, int priority) {
  GPUSIM_ENTER(call);
  if (!stream || flags > cudaStreamNonBlocking) return set_error(cudaErrorInvalidValue);
  auto* s = new Stream{flags, priority, call.rt.next_stream++};
  call.rt.streams.insert(s);
  *stream = reinterpret_cast<cudaStream_t>(s);
  return cudaSuccess;
}

// The legacy stream waits for all others that it orders.
Point last_of(Runtime& rt, const Stream& stream) {
  Point last = stream.last;
  if (stream.id != rt.legacy_stream.id) return last;
  last.ticket = Queue::get().last();
  for (const Stream* other : rt.streams)
    if (!(other->flags & cudaStreamNonBlocking)) join(last.clock, other->last.clock);
  return last;
}

cudaError_t state_of(Runtime& rt, const Point& point) {
  if (!Queue::get().done(point.ticket)) return cudaErrorNotReady;
  join(rt.host, point.clock);
  return cudaSuccess;
}

#define GPUSIM_STREAM(call, stream, name)             \
  GPUSIM_ENTER(call);                                 \
  Stream* const found = find_stream(call.rt, stream); \
  if (!found) return no_stream(name)

Event* find_event(Runtime& rt, cudaEvent_t event) {
  auto* e = reinterpret_cast<Event*>(event);
  return rt.events.count(e) ? e : nullptr;
}

}  // namespace

extern "C" {

cudaError_t cudaStreamCreate(cudaStream_t* stream) { return create_stream(stream, 0, 0); }
cudaError_t cudaStreamCreateWithFlags(cudaStream_t* stream, unsigned flags) { return create_stream(stream, flags, 0); }
cudaError_t cudaStreamCreateWithPriority(cudaStream_t* stream, unsigned flags, int priority) {
  return create_stream(stream, flags, priority);
}
cudaError_t cudaStreamDestroy(cudaStream_t stream) {
  GPUSIM_ENTER(call);
  auto* s = reinterpret_cast<Stream*>(stream);
  if (!call.rt.streams.erase(s)) return no_stream("cudaStreamDestroy");
  delete s;
  return cudaSuccess;
}
cudaError_t cudaStreamSynchronize(cudaStream_t stream) {
  GPUSIM_STREAM(call, stream, "cudaStreamSynchronize");
  return call.wait(last_of(call.rt, *found));
}
cudaError_t cudaStreamQuery(cudaStream_t stream) {
  GPUSIM_STREAM(call, stream, "cudaStreamQuery");
  return state_of(call.rt, last_of(call.rt, *found));
}
cudaError_t cudaStreamWaitEvent(cudaStream_t stream, cudaEvent_t event, unsigned) {
  GPUSIM_STREAM(call, stream, "cudaStreamWaitEvent");
  const Event* e = find_event(call.rt, event);
  if (!e) return no_event("cudaStreamWaitEvent");
  found->last.ticket = std::max(found->last.ticket, e->point.ticket);
  join(found->last.clock, e->point.clock);
  return cudaSuccess;
}
cudaError_t cudaStreamGetFlags(cudaStream_t stream, unsigned* flags) {
  GPUSIM_STREAM(call, stream, "cudaStreamGetFlags");
  return *flags = found->flags, cudaSuccess;
}
cudaError_t cudaStreamGetPriority(cudaStream_t stream, int* priority) {
  GPUSIM_STREAM(call, stream, "cudaStreamGetPriority");
  return *priority = found->priority, cudaSuccess;
}
cudaError_t cudaStreamGetId(cudaStream_t stream, unsigned long long* id) {
  GPUSIM_STREAM(call, stream, "cudaStreamGetId");
  return *id = found->id, cudaSuccess;
}
cudaError_t cudaStreamGetDevice(cudaStream_t stream, int* device) {
  GPUSIM_STREAM(call, stream, "cudaStreamGetDevice");
  return *device = 0, cudaSuccess;
}
cudaError_t cudaStreamIsCapturing(cudaStream_t stream, cudaStreamCaptureStatus* status) {
  GPUSIM_STREAM(call, stream, "cudaStreamIsCapturing");
  return *status = cudaStreamCaptureStatusNone, cudaSuccess;
}
cudaError_t cudaStreamAttachMemAsync(cudaStream_t stream, void*, size_t, unsigned) {
  GPUSIM_STREAM(call, stream, "cudaStreamAttachMemAsync");
  return cudaSuccess;
}
cudaError_t cudaLaunchHostFunc(cudaStream_t stream, cudaHostFn_t function, void* data) {
  GPUSIM_STREAM(call, stream, "cudaLaunchHostFunc");
  submit(call.rt, stream, [function, data](const StreamWork&) { function(data); });
  return cudaSuccess;
}
cudaError_t cudaStreamAddCallback(cudaStream_t stream, cudaStreamCallback_t function, void* data, unsigned) {
  GPUSIM_STREAM(call, stream, "cudaStreamAddCallback");
  Runtime& rt = call.rt;  // a callback learns of errors
  found->last.ticket = Queue::get().submit([&rt, stream, function, data] { function(stream, rt.sticky, data); });
  return cudaSuccess;
}

cudaError_t cudaEventCreateWithFlags(cudaEvent_t* event, unsigned flags) {
  GPUSIM_ENTER(call);
  auto* e = new Event;
  e->flags = flags;
  call.rt.events.insert(e);
  *event = reinterpret_cast<cudaEvent_t>(e);
  return cudaSuccess;
}
cudaError_t cudaEventCreate(cudaEvent_t* event) { return cudaEventCreateWithFlags(event, 0); }
cudaError_t cudaEventDestroy(cudaEvent_t event) {
  GPUSIM_ENTER(call);
  Event* e = find_event(call.rt, event);
  if (!e) return no_event("cudaEventDestroy");
  call.rt.events.erase(e);
  delete e;
  return cudaSuccess;
}
cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t stream) {
  GPUSIM_STREAM(call, stream, "cudaEventRecord");
  Event* e = find_event(call.rt, event);
  if (!e) return no_event("cudaEventRecord");
  e->time = std::make_shared<std::chrono::steady_clock::time_point>();
  e->point = submit(call.rt, stream, [time = e->time](const StreamWork&) { *time = std::chrono::steady_clock::now(); });
  return cudaSuccess;
}
cudaError_t cudaEventRecordWithFlags(cudaEvent_t event, cudaStream_t stream, unsigned) { return cudaEventRecord(event, stream); }
cudaError_t cudaEventQuery(cudaEvent_t event) {
  GPUSIM_ENTER(call);
  const Event* e = find_event(call.rt, event);
  return e ? state_of(call.rt, e->point) : no_event("cudaEventQuery");
}
cudaError_t cudaEventSynchronize(cudaEvent_t event) {
  GPUSIM_ENTER(call);
  const Event* e = find_event(call.rt, event);
  return e ? call.wait(e->point) : no_event("cudaEventSynchronize");
}
cudaError_t cudaEventElapsedTime(float* milliseconds, cudaEvent_t start, cudaEvent_t end) {
  GPUSIM_ENTER(call);
  const Event *a = find_event(call.rt, start), *b = find_event(call.rt, end);
  if (!a || !b) return no_event("cudaEventElapsedTime");
  if (!a->point.ticket || !b->point.ticket || (a->flags | b->flags) & cudaEventDisableTiming)
    return complain(cudaErrorInvalidResourceHandle, "cudaEventElapsedTime: an event was not recorded, or takes no time");
  if (!Queue::get().done(std::max(a->point.ticket, b->point.ticket))) return cudaErrorNotReady;
  *milliseconds = std::chrono::duration<float, std::milli>(*b->time - *a->time).count();
  return cudaSuccess;
}

}  // extern "C"
