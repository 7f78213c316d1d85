#include "khot.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "../core/dtype_of.h"
#include "../core/parallel.h"

namespace sk {

#define SK_KHOT_AVX512(row, type) extern const KHotKernel khot_##row##_avx512;
#define SK_KHOT_AVX2(row, type) extern const KHotKernel khot_##row##_avx2;
#define SK_KHOT_SCALAR(row, type) extern const KHotKernel khot_##row##_scalar;
#define SK_KHOT_SCALAR16(row, type) extern const KHotKernel khot_##row##_scalar16;
#include "kernels.def"

namespace {

struct Row {
  const KHotKernel* kernel;
  DType values;
  Isa isa;
};

const Row kRows[] = {
#define SK_KHOT_AVX512(row, type) {&khot_##row##_avx512, dtype_of<type>, Isa::kAvx512},
#define SK_KHOT_AVX2(row, type) {&khot_##row##_avx2, dtype_of<type>, Isa::kAvx2},
#define SK_KHOT_SCALAR(row, type) {&khot_##row##_scalar, dtype_of<type>, Isa::kScalar},
#define SK_KHOT_SCALAR16(row, type) {&khot_##row##_scalar16, dtype_of<type>, Isa::kScalar16},
#include "kernels.def"
};

bool is_float(DType type) { return type == DType::kFloat32 || type == DType::kFloat16 || type == DType::kBFloat16; }

float read(const void* data, DType type, int64_t at) {
  switch (type) {
    case DType::kFloat16: return widen(static_cast<const Half*>(data)[at]);
    case DType::kBFloat16: return widen(static_cast<const BHalf*>(data)[at]);
    default: return static_cast<const float*>(data)[at];
  }
}

inline void narrow(float x, float* to) { *to = x; }

// Inputs [first, end) of the transposed weight. False: a finite weight is beyond the type.
template <class T>
bool transpose(const MatrixView& weight, int64_t first, int64_t end, int64_t stride, void* packed) {
  T* to = static_cast<T*>(packed);
  bool fits = true;
  for (int64_t o = 0; o < weight.rows; ++o)
    for (int64_t i = first; i < end; ++i) {
      const float x = read(weight.data, weight.type, o * weight.columns + i);
      narrow(x, to + i * stride + o);
      fits &= !std::isfinite(x) || std::isfinite(widen(to[i * stride + o]));
    }
  return fits;
}

// Appends the inputs of a token that are not 0; returns how many there are then. No branch: what is 0 is written over.
template <class X>
int32_t keep(const X* x, int64_t in, int32_t kept, int32_t* input, float* value) {
  for (int64_t i = 0; i < in; ++i) {
    input[kept] = static_cast<int32_t>(i);
    value[kept] = widen(x[i]);
    kept += value[kept] != 0;
  }
  return kept;
}

constexpr int64_t kTransposeBlock = 64;  // inputs: whole lines of the rows of the weight

}  // namespace

Status KHotPlan::create(const KHotOptions& options, std::shared_ptr<const KHotPlan>* result) {
  if (options.weight.rows < 1 || options.weight.columns < 1 || options.weight.columns > INT32_MAX)
    return Status(Code::kShape, "expected a weight [out, in] with at least one row and column, and fewer than 2^31 columns");
  if (!is_float(options.weight.type) || !is_float(options.values))
    return Status(Code::kValue, "expected a weight of float32, float16 or bfloat16, and to be stored as one of these");
  std::shared_ptr<KHotPlan> plan(new KHotPlan);
  const Row* row;
  const auto fits = [&options](const Row& r) { return r.values == options.values; };
  if (Status status = choose_kernel(kRows, options.isa, fits, &row); !status.ok()) return status;
  plan->kernel_ = row->kernel;
  plan->in_ = options.weight.columns;
  plan->out_ = options.weight.rows;
  plan->stride_ = round_up(plan->out_, kKHotUnit);
  plan->threads_ = options.threads > 0 ? options.threads : 1024;
  plan->values_ = options.values;
  plan->activation_ = options.activation;
  if (Status status = plan->pack(options); !status.ok()) return status;
  *result = std::move(plan);
  return Status();
}

Status KHotPlan::pack(const KHotOptions& options) {
  int64_t elements, bytes;
  const auto each = static_cast<int64_t>(size_of(values_));
  if (!checked_multiply(in_, stride_, &elements) || !checked_multiply(elements, each, &bytes))
    return Status(Code::kMemory, "the packed weight does not fit in memory");
  const size_t weight_bytes = static_cast<size_t>(bytes), bias_bytes = static_cast<size_t>(stride_) * sizeof(float);
  if (!weight_.reserve(weight_bytes) || !bias_.reserve(bias_bytes))
    return Status(Code::kMemory, "no memory for a packed weight of " + std::to_string(bytes) + " bytes");
  bytes_ = weight_bytes + bias_bytes;
  std::memset(bias_.as<char>(), 0, bias_bytes);
  if (options.bias) std::memcpy(bias_.as<char>(), options.bias, static_cast<size_t>(out_) * sizeof(float));
  std::atomic<bool> fits{true};
  parallel_for(ceil_div(in_, kTransposeBlock), threads_, [&](int64_t block, int) {
    const int64_t first = block * kTransposeBlock, end = std::min(in_, first + kTransposeBlock);
    for (int64_t i = first; i < end; ++i)
      std::memset(weight_.as<char>() + (i * stride_ + out_) * each, 0, static_cast<size_t>((stride_ - out_) * each));
    const auto to = values_ == DType::kFloat16 ? &transpose<Half> : values_ == DType::kBFloat16 ? &transpose<BHalf> : &transpose<float>;
    if (!to(options.weight, first, end, stride_, weight_.as<void>())) fits.store(false);
  });
  return fits.load() ? Status() : Status(Code::kValue, "expected weights within the range of the 16-bit type that they are stored as");
}

Status KHotPlan::check(const KHotLists& lists) const {
  for (int64_t t = 0; t < lists.tokens; ++t)
    if (lists.offsets[t] < 0 || lists.offsets[t] > lists.offsets[t + 1] || lists.offsets[t + 1] > lists.length)
      return Status(Code::kLists, "expected offsets to ascend up to the " + std::to_string(lists.length) +
                                      " indices at most but those of token " + std::to_string(t) + " are " +
                                      std::to_string(lists.offsets[t]) + " and " + std::to_string(lists.offsets[t + 1]));
  for (int64_t j = 0; j < lists.length; ++j)
    if (lists.inputs[j] < 0 || lists.inputs[j] >= in_)
      return Status(Code::kLists, "expected indices below the " + std::to_string(in_) + " inputs but index " + std::to_string(j) + " is " +
                                      std::to_string(lists.inputs[j]));
  return Status();
}

Status KHotPlan::run(const KHotLists& lists, const KHotOutput& output, const std::atomic<bool>* cancel) const {
  if (Status status = check(lists); !status.ok()) return status;
  return multiply(lists, output, cancel);
}

Status KHotPlan::run(const void* x, DType type, int64_t tokens, const KHotOutput& output, const std::atomic<bool>* cancel) const {
  int64_t most;
  if (!checked_multiply(tokens, in_, &most) || most > INT32_MAX)
    return Status(Code::kShape,
                  "expected fewer than 2^31 numbers of x but received " + std::to_string(tokens) + " x " + std::to_string(in_));
  AlignedBuffer offsets, inputs, values;
  const size_t room = static_cast<size_t>(most) * 4;
  if (!offsets.reserve(static_cast<size_t>(tokens + 1) * 4) || !inputs.reserve(room + 4) || !values.reserve(room + 4))
    return Status(Code::kMemory, "no memory for the lists of a run");
  auto* offset = offsets.as<int32_t>();
  auto* input = inputs.as<int32_t>();
  auto* value = values.as<float>();
  int32_t kept = 0;
  offset[0] = 0;
  for (int64_t t = 0; t < tokens; ++t) {
    switch (type) {
      case DType::kFloat16: kept = keep(static_cast<const Half*>(x) + t * in_, in_, kept, input, value); break;
      case DType::kBFloat16: kept = keep(static_cast<const BHalf*>(x) + t * in_, in_, kept, input, value); break;
      default: kept = keep(static_cast<const float*>(x) + t * in_, in_, kept, input, value);
    }
    offset[t + 1] = kept;
  }
  return multiply({tokens, offset, input, value, kept}, output, cancel);
}

void KHotPlan::to_dense(float* dense) const {
  for (int64_t first = 0; first < in_; first += kTransposeBlock)
    for (int64_t o = 0; o < out_; ++o)
      for (int64_t i = first; i < std::min(in_, first + kTransposeBlock); ++i)
        dense[o * in_ + i] = read(weight_.as<void>(), values_, i * stride_ + o);
}

Status KHotPlan::multiply(const KHotLists& lists, const KHotOutput& output, const std::atomic<bool>* cancel) const {
  const int slots = std::min(threads_, ThreadPool::instance().threads());
  const int64_t tiles = ceil_div(stride_, kKHotWidth);
  const auto cancelled = [cancel] { return cancel && cancel->load(std::memory_order_relaxed); };
  parallel_for(lists.tokens * tiles, slots, [&](int64_t task, int) {
    if (cancelled()) return;
    const int64_t token = task / tiles, first = task % tiles * kKHotWidth, width = std::min(kKHotWidth, stride_ - first);
    const int32_t begin = lists.offsets[token], end = lists.offsets[token + 1];
    alignas(64) float sums[kKHotWidth];
    kernel_->run(
        {weight_.as<void>(), stride_, first, width, bias_.as<float>(), lists.inputs + begin, lists.values + begin, end - begin, sums});
    const auto bytes = (token * out_ + first) * static_cast<int64_t>(size_of(output.type));
    const auto* residual = static_cast<const char*>(output.residual);
    kernel_->finish[static_cast<int>(output.type)](
        {sums, std::min(width, out_ - first), activation_, residual ? residual + bytes : nullptr, static_cast<char*>(output.y) + bytes});
  });
  return cancelled() ? Status(Code::kAborted, "the run was aborted") : Status();
}

std::vector<KernelRow> khot_kernels() {
  std::vector<KernelRow> rows;
  for (const auto& [kernel, values, isa] : kRows) {
    const char* type = values == DType::kFloat16 ? "float16" : values == DType::kBFloat16 ? "bfloat16" : "float32";
    rows.push_back({kernel->name, "khot", type, "lists", isa_name(isa), kernel->lanes, isa_supported(isa)});
  }
  return rows;
}

}  // namespace sk
