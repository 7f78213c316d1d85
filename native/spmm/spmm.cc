#include "spmm.h"

#include <algorithm>
#include <iterator>
#include <numeric>

#include "../core/parallel.h"
#include "../simd/half.h"
#include "pack.h"

namespace sk {

#define SK_SPMM_AVX512(row, type, n, m) extern const SpmmKernel spmm_##row##_avx512;
#define SK_SPMM_AVX2(row, type, n, m) extern const SpmmKernel spmm_##row##_avx2;
#define SK_SPMM_SCALAR(row, type, n, m) extern const SpmmKernel spmm_##row##_scalar;
#define SK_SPMM_SCALAR16(row, type, n, m) extern const SpmmKernel spmm_##row##_scalar16;
#define SK_SPMM_AVX512_INT8(row, n, m) extern const SpmmKernel spmm_##row##_avx512;
#define SK_SPMM_AVX2_INT8(row, n, m) extern const SpmmKernel spmm_##row##_avx2;
#define SK_SPMM_SCALAR_INT8(row, n, m) extern const SpmmKernel spmm_##row##_scalar;
#define SK_SPMM_SCALAR16_INT8(row, n, m) extern const SpmmKernel spmm_##row##_scalar16;
#include "kernels.def"

namespace {

template <class T>
constexpr DType dtype_of = DType::kFloat32;
template <>
constexpr DType dtype_of<Half> = DType::kFloat16;
template <>
constexpr DType dtype_of<BHalf> = DType::kBFloat16;
template <>
constexpr DType dtype_of<int8_t> = DType::kInt8;

struct Row {
  const SpmmKernel* kernel;
  DType values;
  Isa isa;
};

const Row kRows[] = {
#define SK_SPMM_AVX512(row, type, n, m) {&spmm_##row##_avx512, dtype_of<type>, Isa::kAvx512},
#define SK_SPMM_AVX2(row, type, n, m) {&spmm_##row##_avx2, dtype_of<type>, Isa::kAvx2},
#define SK_SPMM_SCALAR(row, type, n, m) {&spmm_##row##_scalar, dtype_of<type>, Isa::kScalar},
#define SK_SPMM_SCALAR16(row, type, n, m) {&spmm_##row##_scalar16, dtype_of<type>, Isa::kScalar16},
#define SK_SPMM_AVX512_INT8(row, n, m) {&spmm_##row##_avx512, DType::kInt8, Isa::kAvx512},
#define SK_SPMM_AVX2_INT8(row, n, m) {&spmm_##row##_avx2, DType::kInt8, Isa::kAvx2},
#define SK_SPMM_SCALAR_INT8(row, n, m) {&spmm_##row##_scalar, DType::kInt8, Isa::kScalar},
#define SK_SPMM_SCALAR16_INT8(row, n, m) {&spmm_##row##_scalar16, DType::kInt8, Isa::kScalar16},
#include "kernels.def"
};

const char* name_of(DType type) {
  switch (type) {
    case DType::kFloat32: return "float32";
    case DType::kFloat16: return "float16";
    case DType::kBFloat16: return "bfloat16";
    case DType::kInt8: return "int8";
  }
  return "";
}

// The moves of the kernel's ISA.
const SpmmMoves* moves_of(const Row& row) {
  const auto has = [&](const Row& other) { return other.isa == row.isa && other.kernel->moves != nullptr; };
  return std::find_if(std::begin(kRows), std::end(kRows), has)->kernel->moves;
}

constexpr int kMostM = 256;
// Of int8 activations: 2^17 products of at most 127 * 127 each stay below 2^31.
constexpr int64_t kMostInt8Kept = 1 << 17;
constexpr int64_t kMostRows = 1 << 20;

// Largest packed copy of x that run() makes at a time. Longer runs go in batches; each streams the weight from memory once.
constexpr int64_t kBatchFloats = 2 << 20;

const void* at(const void* data, DType type, int64_t element) {
  if (data == nullptr) return nullptr;
  return static_cast<const char*>(data) + element * static_cast<int64_t>(size_of(type));
}
void* at(void* data, DType type, int64_t element) { return static_cast<char*>(data) + element * static_cast<int64_t>(size_of(type)); }

// Which of the packed formats holds the weight.
enum class Format { kNm, kBands, kUnstructured };

Status check_pattern(const SpmmOptions& o) {
  const bool unstructured = o.m == 0 && o.n == 0 && !o.venom;
  const bool shared = (o.rows > 1 || o.venom) && o.m >= 2 && o.m <= kMostM && o.n >= 1 && o.n < o.m && (!o.venom || (o.m >= 4 && o.n <= 4));
  const bool alone = o.rows == 1 && !o.venom && (nm_known(o.n, o.m) || (o.n == 1 && o.m == 2));
  if (o.rows >= 1 && o.rows <= kMostRows && (unstructured || alone || shared)) return Status();
  return Status(Code::kPattern,
                "expected a pattern N:M with M of 2, 4, 8, 16 or 32, or up to 256 where rows share their columns, and "
                "1 <= N < M but received " +
                    std::to_string(o.n) + ":" + std::to_string(o.m) + " of " + std::to_string(o.rows) + " rows");
}

// VENOM's rows share columns but not places: each row goes by itself. So do rows whose number no band has.
Format format_of(const SpmmOptions& o) {
  if (o.rows % 4 == 0 && !o.venom) return Format::kBands;
  return nm_known(o.n, o.m) || o.m == 2 ? Format::kNm : Format::kUnstructured;
}

}  // namespace

Status check_options(const SpmmOptions& options) {
  if (Status status = check_pattern(options); !status.ok()) return status;
  if ((options.weight.type == DType::kInt8) != (options.scale != nullptr) ||
      (options.weight.type == DType::kInt8 && options.values != DType::kInt8))
    return Status(Code::kValue, "expected an int8 weight to have a scale and to be stored as int8");
  if ((options.gate_scale != nullptr) != (options.gate != nullptr && options.scale != nullptr))
    return Status(Code::kValue, "expected a scale of the gate exactly if there is a gate and the weight has one");
  if (options.weight.rows < 1 || options.weight.columns < 1)
    return Status(Code::kShape, "expected a weight [out, in] with at least one row and column");
  return Status();
}

Status SpmmPlan::create(const SpmmOptions& asked, std::shared_ptr<const SpmmPlan>* result) {
  if (Status status = check_options(asked); !status.ok()) return status;
  SpmmOptions options = asked;
  const Format format = format_of(options);
  if (format == Format::kNm && options.m == 2) options.n = 2, options.m = 4;  // what is 1:2 is 2:4
  if (format == Format::kUnstructured && options.values == DType::kInt8)
    return Status(Code::kValue, "expected an unstructured weight to be stored as float32, float16 or bfloat16");
  if (options.int8_activations && (format != Format::kNm || options.values != DType::kInt8))
    return Status(Code::kValue, "expected int8 activations with an int8 weight of a pattern N:M");
  if (options.int8_activations && ceil_div(options.weight.columns, options.m) * options.n > kMostInt8Kept)
    return Status(Code::kShape, "expected int8 activations to meet at most " + std::to_string(kMostInt8Kept) +
                                    " kept weights of a row, whose sums fit in int32, but received " +
                                    std::to_string(ceil_div(options.weight.columns, options.m) * options.n));
  std::shared_ptr<SpmmPlan> plan(new SpmmPlan);
  const auto fits = [&](const Row& row) {
    const SpmmKernel& k = *row.kernel;
    if (row.values != options.values || (k.quantise != nullptr) != options.int8_activations || (k.height > 0) != (format == Format::kBands))
      return false;
    if (format == Format::kBands) return options.rows % k.height == 0;
    return format == Format::kUnstructured ? k.m == 0 : k.m == options.m && (k.n == 0 || k.n == options.n);
  };
  const Row* row = nullptr;
  if (Status status = choose_kernel(kRows, options.isa, fits, &row); !status.ok()) return status;
  plan->kernel_ = row->kernel;
  plan->moves_ = moves_of(*row);
  plan->threads_ = options.threads > 0 ? options.threads : 1024;
  plan->activation_ = options.activation;
  plan->values_type_ = options.values;
  plan->rows_ = {options.weight, options.gate, options.gate != nullptr, row->kernel->lanes};
  if (Status status = plan->pack_vectors(options); !status.ok()) return status;
  if (asked.m > 0 && (asked.m != options.m || asked.rows > 1 || asked.venom))
    if (Status status = band_check(plan->rows_, {asked.rows, asked.n, asked.m, asked.venom}); !status.ok()) return status;
  const auto pack = format == Format::kBands ? &SpmmPlan::pack_bands : format == Format::kNm ? &SpmmPlan::pack_nm : &SpmmPlan::pack_csr;
  if (Status status = ((*plan).*pack)(options); !status.ok()) return status;
  plan->rows_.weight.data = plan->rows_.gate = nullptr;
  *result = std::move(plan);
  return Status();
}

// Bias and scale of the packed rows; what is not given is 0 there and everywhere.
Status SpmmPlan::pack_vectors(const SpmmOptions& options) {
  const bool quantised = options.values == DType::kInt8;
  const size_t bytes = static_cast<size_t>(rows_.count()) * sizeof(float);
  if (!bias_.reserve(bytes) || !scale_.reserve(quantised ? bytes : 0)) return Status(Code::kMemory, "no memory for the bias of a plan");
  bytes_ = quantised ? 2 * bytes : bytes;
  rows_.pack_vector(options.bias, options.gate_bias, bias_.as<float>());
  if (!quantised) return Status();
  rows_.pack_vector(options.scale, options.gate_scale, scale_.as<float>());
  return options.scale ? Status() : choose_scales(rows_, scale_.as<float>());
}

Status SpmmPlan::pack_nm(const SpmmOptions& options) {
  const int m = options.m, n = options.n;
  const int vectors = nm_panel_vectors(n, m, kernel_->panel_vectors);
  nm_layout(n, m, rows_, vectors, row_block(options, vectors), &nm_, kernel_->quantise ? kernel_->quantise->panel_bytes : 0);
  weight_ = &nm_;
  int64_t kept;
  if (!nm_kept(nm_, &kept)) return Status(Code::kMemory, "the packed weight does not fit in memory");
  const size_t values_bytes = static_cast<size_t>(kept) * size_of(options.values);
  const size_t fields_bytes = static_cast<size_t>(kept / (32 / nm_field_bits(m))) * 4;
  if (!values_.reserve(values_bytes) || !fields_.reserve(fields_bytes))
    return Status(Code::kMemory, "no memory for a packed weight of " + std::to_string(values_bytes + fields_bytes) + " bytes");
  bytes_ += values_bytes + fields_bytes;
  nm_.values = values_.as<void>();
  nm_.fields = fields_.as<uint32_t>();
  return nm_pack(rows_, nm_, packed_values(), fields_.as<uint32_t>());
}

Status SpmmPlan::pack_csr(const SpmmOptions& options) {
  weight_ = &csr_;
  const Status status =
      csr_pack(rows_, values_type_, kernel_->panel_vectors, row_block(options, kernel_->panel_vectors), &csr_, &csr_storage_);
  bytes_ += csr_storage_.bytes;
  return status;
}

Status SpmmPlan::pack_bands(const SpmmOptions& options) {
  weight_ = &bands_;
  PackedValues values = packed_values();
  const Status status = band_pack(rows_, kernel_->height, kernel_->panel_vectors, row_block(options, kernel_->panel_vectors), &values,
                                  &bands_, &band_storage_);
  bytes_ += band_storage_.bytes;
  return status;
}

// Row blocks: long enough that loading a panel of x is repaid, short enough that the accumulators of a block (rows * 256 bytes) stay in
// L2, and enough of them that every thread gets several tasks.
int64_t SpmmPlan::row_block(const SpmmOptions& options, int panel_vectors) const {
  const int64_t threads = std::min(threads_, ThreadPool::instance().threads());
  const int64_t strips = std::clamp<int64_t>(options.tokens / (panel_vectors * kernel_->lanes), 1, 1024);
  const int64_t wanted = ceil_div(rows_.count() * strips, 4 * threads);
  return round_up(std::clamp<int64_t>(wanted, 64, 256), kernel_->lanes * (rows_.gated ? 2 : 1));
}

// Panels of full width, then one of 4 and one of 2 vectors where they can be filled, then few(). It does half the multiply-adds a cycle,
// but for two calls' worth of tokens a panel of two vectors, mostly empty, does worse.
void SpmmPlan::cut(int64_t tokens, int64_t most_floats, SpmmInput* input) const {
  const SpmmKernel& kernel = *kernel_;
  const int64_t width = static_cast<int64_t>(weight_->panel_vectors) * kernel.lanes;
  const int64_t few = 2 * kernel.few_tokens;
  input->strips.clear();
  int64_t first = 0, x = 0;
  while (first < tokens && (input->strips.empty() || most_floats - x >= width * weight_->in_padded)) {
    const int64_t left = tokens - first;
    SpmmInput::Strip strip = {first, 0, 0, x, x};
    if (left <= few) {
      strip.tokens = left > kernel.few_tokens ? ceil_div(left, 2) : left;
    } else {
      const int64_t vectors = ceil_div(left, kernel.lanes);
      const int narrow = vectors >= 4 ? 4 : vectors >= 2 || kernel.few != nullptr ? 2 : 1;
      strip.vectors = vectors >= weight_->panel_vectors ? weight_->panel_vectors : narrow;
      strip.tokens = std::min<int64_t>(left, strip.vectors * kernel.lanes);
    }
    const int64_t columns = strip.vectors ? strip.vectors * kernel.lanes : strip.tokens;
    if (kernel.quantise) {
      strip.x += round_up(columns, 16);
      x = strip.x +
          round_up(columns * (strip.vectors ? kernel.quantise->panel_bytes * weight_->in_padded : weight_->in_padded + kInt8RowPad), 64) /
              4;
    } else {
      x += columns * weight_->in_padded;
    }
    first += strip.tokens;
    input->strips.push_back(strip);
  }
  input->tokens = first;
  input->floats = x;
}

void SpmmPlan::pack_strips(const void* x, DType x_type, const SpmmInput& input, int slots, float* packed_x) const {
  const SpmmQuantise* quantise = kernel_->quantise;
  const int type = static_cast<int>(x_type);
  if (quantise) {
    parallel_for(static_cast<int64_t>(input.strips.size()), slots, [&](int64_t task, int) {
      const SpmmInput::Strip& strip = input.strips[static_cast<size_t>(task)];
      float* scale = packed_x + strip.scale;
      quantise->measure[type](at(x, x_type, strip.first * weight_->in), strip.tokens, weight_->in, scale);
      std::fill(scale + strip.tokens, packed_x + strip.x, 0.0f);  // of missing tokens
    });
  }
  const int64_t k_blocks = ceil_div(weight_->in_padded, weight_->k_block);
  const int64_t tasks = std::min<int64_t>(k_blocks, 2 * slots);  // of each strip
  parallel_for(static_cast<int64_t>(input.strips.size()) * tasks, slots, [&](int64_t task, int) {
    const SpmmInput::Strip& strip = input.strips[static_cast<size_t>(task / tasks)];
    const void* from = at(x, x_type, strip.first * weight_->in);
    float* to = packed_x + strip.x;
    const float* scale = packed_x + strip.scale;
    const int64_t part = task % tasks;
    if (strip.vectors) {
      const int64_t k0 = k_blocks * part / tasks * weight_->k_block;
      const int64_t k1 = std::min(k_blocks * (part + 1) / tasks * weight_->k_block, weight_->in_padded);
      if (quantise)
        quantise->pack[type](from, scale, strip.tokens, weight_->in, k0, k1, strip.vectors, reinterpret_cast<int16_t*>(to));
      else
        moves_->pack[type](from, strip.tokens, weight_->in, k0, k1, strip.vectors, to);
    } else if (part == 0) {
      if (quantise)
        quantise->rows[type](from, scale, strip.tokens, weight_->in, weight_->in_padded, reinterpret_cast<int8_t*>(to));
      else
        moves_->widen[type](from, strip.tokens, weight_->in, weight_->in_padded, to);
    }
  });
}

Status SpmmPlan::multiply_strips(const SpmmInput& input, const float* packed_x, int slots, float* accumulators, void* y, DType y_type,
                                 const std::atomic<bool>* cancel, const void* residual) const {
  const SpmmKernel& kernel = *kernel_;
  const int64_t acc = accumulator_floats();
  const auto cancelled = [cancel] { return cancel && cancel->load(std::memory_order_relaxed); };
  const int64_t count = static_cast<int64_t>(input.strips.size());
  parallel_for(ceil_div(weight_->out_padded, weight_->row_block) * count, slots, [&](int64_t task, int slot) {
    if (cancelled()) return;
    const SpmmInput::Strip& strip = input.strips[static_cast<size_t>(task % count)];  // innermost: they share a row block's weights in L3
    const int64_t row = task / count * weight_->row_block;
    const int64_t rows = std::min(weight_->row_block, weight_->out_padded - row);
    const SpmmTile tile = {weight_, row, rows, packed_x + strip.x, packed_x + strip.scale, strip.tokens, accumulators + slot * acc};
    const int64_t first = strip.first * weight_->out;
    const SpmmEpilogue epilogue = {scale_.as<float>(), bias_.as<float>(),           activation_,
                                   rows_.gated,        at(residual, y_type, first), at(y, y_type, first)};
    if (strip.vectors) {
      kernel.many(tile, strip.vectors);
      moves_->finish_many[static_cast<int>(y_type)](tile, strip.vectors, epilogue);
    } else {
      kernel.few(tile);
      moves_->finish_few[static_cast<int>(y_type)](tile, epilogue);
    }
  });
  return cancelled() ? Status(Code::kAborted, "the run was aborted") : Status();
}

// Of a run that starts now; set_threads() may be called meanwhile.
int SpmmPlan::run_threads() const { return std::min(threads_, ThreadPool::instance().threads()); }

// Of one thread.
int64_t SpmmPlan::accumulator_floats() const { return weight_->row_block * weight_->panel_vectors * kernel_->lanes; }

SpmmInput SpmmPlan::input(int64_t tokens) const {
  SpmmInput input;
  cut(tokens, INT64_MAX, &input);
  return input;
}

Status SpmmPlan::pack(const void* x, DType x_type, SpmmInput* input) const {
  if (!input->x.reserve(static_cast<size_t>(input->floats) * sizeof(float)))
    return Status(Code::kMemory, "no memory for the packed x of an asynchronous run");
  pack_strips(x, x_type, *input, run_threads(), input->x.as<float>());
  return Status();
}

Status SpmmPlan::multiply(const SpmmInput& input, void* y, DType y_type, const std::atomic<bool>* cancel, const void* residual) const {
  const int slots = run_threads();
  void* scratch = thread_scratch(static_cast<size_t>(slots * accumulator_floats()) * sizeof(float));
  if (scratch == nullptr) return Status(Code::kMemory, "no memory for the workspace of a run");
  return multiply_strips(input, input.x.as<float>(), slots, static_cast<float*>(scratch), y, y_type, cancel, residual);
}

Status SpmmPlan::run(const void* x, DType x_type, int64_t tokens, void* y, DType y_type, const std::atomic<bool>* cancel,
                     const void* residual) const {
  const int slots = run_threads();
  SpmmInput input;
  for (int64_t first = 0; first < tokens; first += input.tokens) {
    cut(tokens - first, kBatchFloats, &input);
    auto* scratch = static_cast<float*>(thread_scratch(static_cast<size_t>(input.floats + slots * accumulator_floats()) * sizeof(float)));
    if (scratch == nullptr) return Status(Code::kMemory, "no memory for the workspace of a run");
    pack_strips(at(x, x_type, first * weight_->in), x_type, input, slots, scratch);
    const int64_t done = first * weight_->out;
    const Status status =
        multiply_strips(input, scratch, slots, scratch + input.floats, at(y, y_type, done), y_type, cancel, at(residual, y_type, done));
    if (!status.ok()) return status;
  }
  return Status();
}

PackedValues SpmmPlan::packed_values() const { return {values_type_, values_.as<void>(), scale_.as<float>()}; }

void SpmmPlan::to_dense(float* dense) const {
  if (weight_ == &bands_)
    band_unpack(bands_, {values_type_, band_storage_.values.as<void>(), scale_.as<float>()}, rows_, dense);
  else if (weight_ == &csr_)
    csr_unpack(csr_, values_type_, rows_, dense);
  else
    nm_unpack(nm_, packed_values(), rows_, dense);
}

void SpmmPlan::scales(float* scales) const {
  for (int64_t row = 0; quantised() && row < rows_.count(); ++row)
    if (rows_.place(row) >= 0) scales[rows_.place(row)] = scale_.as<float>()[row];
}

std::vector<KernelRow> spmm_kernels() {
  std::vector<KernelRow> rows;
  for (const auto& [kernel, values, isa] : kRows) {
    const std::string pattern = kernel->height   ? "rows of " + std::to_string(kernel->height)
                                : kernel->m == 0 ? "unstructured"
                                                 : (kernel->n == 0 ? "N" : std::to_string(kernel->n)) + ":" + std::to_string(kernel->m);
    rows.push_back(
        {kernel->name, "spmm", kernel->quantise ? "w8a8" : name_of(values), pattern, isa_name(isa), kernel->lanes, isa_supported(isa)});
  }
  return rows;
}

}  // namespace sk
