#include <memory>

#include "../attend/attend.h"
#include "args.h"
#include "kvcache_object.h"

namespace sk::napi {
namespace {

constexpr int64_t kMost = (int64_t{1} << 31) - 1, kMostKvHeads = 1 << 20;

class KvCacheObject : public Napi::ObjectWrap<KvCacheObject> {
 public:
  static Napi::Function define(Napi::Env env) {
    return DefineClass(env, "KvCache",
                       {InstanceMethod<&KvCacheObject::append>("append"), InstanceMethod<&KvCacheObject::truncate>("truncate"),
                        InstanceMethod<&KvCacheObject::fork>("fork"), InstanceMethod<&KvCacheObject::read>("read"),
                        InstanceMethod<&KvCacheObject::dispose>("dispose"), InstanceAccessor<&KvCacheObject::length>("length"),
                        InstanceAccessor<&KvCacheObject::bytes>("bytes")});
  }

  // new KvCache({ kvHeads, headDim, pageTokens, capacity, elementBytes })
  explicit KvCacheObject(const Napi::CallbackInfo& info) : Napi::ObjectWrap<KvCacheObject>(info) {
    info.This().As<Napi::Object>().TypeTag(&kTag);
    const Napi::Object o = object(info[0], "options");
    KvShape shape;
    shape.kv_heads = integer(o.Get("kvHeads"), "kvHeads", 1, kMostKvHeads);
    shape.head_dim = integer(o.Get("headDim"), "headDim", 1, kAttendMostHeadDim);
    shape.page_tokens = integer(o.Get("pageTokens"), "pageTokens", 1, 1 << 16);
    shape.capacity = round_up(integer(o.Get("capacity"), "capacity", 0, kMost), shape.page_tokens);
    shape.element_bytes = integer(o.Get("elementBytes"), "elementBytes", 2, 4);
    cache_ = std::make_unique<KvCache>(shape);
  }

  static const KvCache& of(const Napi::Value& value) {
    if (!value.IsObject() || !value.As<Napi::Object>().CheckTypeTag(&kTag)) throw type_error(value.Env(), "expected a KvCache");
    return Unwrap(value.As<Napi::Object>())->live(value.Env());
  }

 private:
  static constexpr napi_type_tag kTag = {0x5ac1e2f07b384d96, 0x83c5b6a92d1e40f7};

  KvCache& live(Napi::Env env) const {
    if (!cache_) throw to_error(env, Status(Code::kDisposed, "the cache was used after dispose()"));
    return *cache_;
  }

  void expect_bytes(Napi::Env env, const Bytes& bytes, const char* name, int64_t tokens) const {
    const KvShape& s = live(env).shape();
    expect_length(env, static_cast<int64_t>(bytes.bytes), name, tokens, s.kv_heads * s.head_dim * s.element_bytes);
  }

  void account(Napi::BasicEnv env, size_t before) {
    const size_t now = cache_ ? cache_->bytes() : 0;
    Napi::MemoryManagement::AdjustExternalMemory(env, static_cast<int64_t>(now) - static_cast<int64_t>(before));
  }

  // append(k, v, tokens, tokensOutside)
  Napi::Value append(const Napi::CallbackInfo& info) {
    KvCache& cache = live(info.Env());
    const Bytes k = bytes_of(info[0], "k"), v = bytes_of(info[1], "v");
    const int64_t tokens = integer(info[2], "tokens", 0, kMost);
    expect_bytes(info.Env(), k, "k", tokens);
    expect_bytes(info.Env(), v, "v", tokens);
    const size_t before = cache.bytes();
    const Status status = cache.append(k.data, v.data, tokens, info[3].ToBoolean());
    account(info.Env(), before);
    if (!status.ok()) throw to_error(info.Env(), status);
    return info.Env().Undefined();
  }

  // truncate(length)
  Napi::Value truncate(const Napi::CallbackInfo& info) {
    KvCache& cache = live(info.Env());
    const size_t before = cache.bytes();
    cache.truncate(integer(info[0], "length", 0, cache.length()));
    account(info.Env(), before);
    return info.Env().Undefined();
  }

  // fork(other): makes `other`, a new cache of any shape, a copy of this one
  Napi::Value fork(const Napi::CallbackInfo& info) {
    const KvCache& from = of(info[0]);
    const size_t before = live(info.Env()).bytes();
    cache_ = std::make_unique<KvCache>(from);
    account(info.Env(), before);
    return info.Env().Undefined();
  }

  // read(begin, tokens, k, v)
  Napi::Value read(const Napi::CallbackInfo& info) {
    const KvCache& cache = live(info.Env());
    const int64_t begin = integer(info[0], "begin", 0, cache.length());
    const int64_t tokens = integer(info[1], "tokens", 0, cache.length() - begin);
    const Bytes k = bytes_of(info[2], "k"), v = bytes_of(info[3], "v");
    expect_bytes(info.Env(), k, "k", tokens);
    expect_bytes(info.Env(), v, "v", tokens);
    cache.read(begin, tokens, k.data, v.data);
    return info.Env().Undefined();
  }

  Napi::Value length(const Napi::CallbackInfo& info) {
    return Napi::Number::New(info.Env(), static_cast<double>(live(info.Env()).length()));
  }
  Napi::Value bytes(const Napi::CallbackInfo& info) { return Napi::Number::New(info.Env(), static_cast<double>(live(info.Env()).bytes())); }
  void dispose(const Napi::CallbackInfo& info) { Finalize(info.Env()); }
  void Finalize(Napi::BasicEnv env) override {
    const size_t before = cache_ ? cache_->bytes() : 0;
    cache_.reset();
    account(env, before);
  }

  std::unique_ptr<KvCache> cache_;
};

}  // namespace

Napi::Function define_kv_cache(Napi::Env env) { return KvCacheObject::define(env); }

const KvCache& kv_cache_of(const Napi::Value& value) { return KvCacheObject::of(value); }

}  // namespace sk::napi
