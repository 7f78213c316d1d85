#include "spmm.h"

#include <algorithm>
#include <iterator>

#include "../core/parallel.h"
#include "pack.h"

namespace sk {

#define SK_SPMM_AVX512(row, type, n, m) extern const SpmmKernel spmm_##row##_avx512;
#define SK_SPMM_AVX2(row, type, n, m) extern const SpmmKernel spmm_##row##_avx2;
#define SK_SPMM_SCALAR(row, type, n, m) extern const SpmmKernel spmm_##row##_scalar;
#define SK_SPMM_SCALAR16(row, type, n, m) extern const SpmmKernel spmm_##row##_scalar16;
#define SK_SPMM_AVX512VNNI_INT8(row, type, n, m) extern const SpmmKernel spmm_##row##_avx512vnni;
#define SK_SPMM_AVX512_INT8(row, type, n, m) extern const SpmmKernel spmm_##row##_avx512;
#define SK_SPMM_AVX2VNNI_INT8(row, type, n, m) extern const SpmmKernel spmm_##row##_avx2vnni;
#define SK_SPMM_AVX2_INT8(row, type, n, m) extern const SpmmKernel spmm_##row##_avx2;
#define SK_SPMM_SCALAR_INT8(row, type, n, m) extern const SpmmKernel spmm_##row##_scalar;
#define SK_SPMM_SCALAR16_INT8(row, type, n, m) extern const SpmmKernel spmm_##row##_scalar16;
#include "kernels.def"

namespace {

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
#define SK_SPMM_AVX512VNNI_INT8(row, type, n, m) {&spmm_##row##_avx512vnni, dtype_of<type>, Isa::kAvx512Vnni},
#define SK_SPMM_AVX512_INT8(row, type, n, m) {&spmm_##row##_avx512, dtype_of<type>, Isa::kAvx512},
#define SK_SPMM_AVX2VNNI_INT8(row, type, n, m) {&spmm_##row##_avx2vnni, dtype_of<type>, Isa::kAvx2Vnni},
#define SK_SPMM_AVX2_INT8(row, type, n, m) {&spmm_##row##_avx2, dtype_of<type>, Isa::kAvx2},
#define SK_SPMM_SCALAR_INT8(row, type, n, m) {&spmm_##row##_scalar, dtype_of<type>, Isa::kScalar},
#define SK_SPMM_SCALAR16_INT8(row, type, n, m) {&spmm_##row##_scalar16, dtype_of<type>, Isa::kScalar16},
#include "kernels.def"
};

const char* name_of(DType type) {
  switch (type) {
    case DType::kFloat32: return "float32";
    case DType::kFloat16: return "float16";
    case DType::kBFloat16: return "bfloat16";
    case DType::kInt8: return "int8";
    case DType::kInt4: return "int4";
  }
  return "";
}

// The moves of the kernel's ISA, or of the one that it extends.
const SpmmMoves* moves_of(const Row& row) {
  const auto has = [&](const Row& other) { return other.isa == isa_base(row.isa) && other.kernel->moves != nullptr; };
  return std::find_if(std::begin(kRows), std::end(kRows), has)->kernel->moves;
}

Int4Options int4_options(const SpmmOptions& o) { return {o.group, o.zero_point, o.scale, o.gate_scale}; }

// Of int8 activations: 2^17 products of at most 127 * 127 each stay below 2^31.
constexpr int64_t kMostInt8Kept = 1 << 17;
// Which of the packed formats holds the weight.
enum class Format { kNm, kBands, kUnstructured, kGroups };

// VENOM's rows share columns but not places: each row goes by itself. So do rows whose number no band has.
Format format_of(const SpmmOptions& o) {
  if (o.values == DType::kInt4) return o.m == 0 ? Format::kGroups : Format::kNm;
  if (o.rows % 4 == 0 && !o.venom) return Format::kBands;
  return nm_known(o.n, o.m) || o.m == 2 ? Format::kNm : Format::kUnstructured;
}

}  // namespace

Status SpmmPlan::create(const SpmmOptions& asked, std::shared_ptr<const SpmmPlan>* result) {
  if (Status status = check_options(asked); !status.ok()) return status;
  SpmmOptions options = asked;
  const Format format = format_of(options);
  if (format == Format::kNm && options.m == 2) options.n = 2, options.m = 4;  // what is 1:2 is 2:4
  if (options.int8_activations && options.values != DType::kInt4 && (format != Format::kNm || options.values != DType::kInt8))
    return Status(Code::kValue, "expected int8 activations with an int4 weight, or with an int8 weight of a pattern N:M");
  if (options.int8_activations && options.values == DType::kInt8 && ceil_div(options.weight.columns, options.m) * options.n > kMostInt8Kept)
    return Status(Code::kShape, "expected int8 activations to meet at most " + std::to_string(kMostInt8Kept) +
                                    " kept weights of a row, whose sums fit in int32, but received " +
                                    std::to_string(ceil_div(options.weight.columns, options.m) * options.n));
  std::shared_ptr<SpmmPlan> plan(new SpmmPlan);
  const auto fits = [&](const Row& row) {
    const SpmmKernel& k = *row.kernel;
    if (row.values != options.values || (k.quantise != nullptr) != options.int8_activations || (k.height > 0) != (format == Format::kBands))
      return false;
    if (format == Format::kBands) return options.rows % k.height == 0;
    return format == Format::kUnstructured || format == Format::kGroups ? k.m == 0 : k.m == options.m && (k.n == 0 || k.n == options.n);
  };
  const Row* row = nullptr;
  if (Status status = choose_kernel(kRows, options.isa, fits, &row); !status.ok()) return status;
  plan->kernel_ = row->kernel;
  plan->moves_ = moves_of(*row);
  plan->threads_ = options.threads > 0 ? options.threads : 1024;
  plan->activation_ = options.activation;
  plan->values_type_ = options.values;
  plan->group_ = options.group;
  plan->rows_ = {options.weight, options.gate, options.gate != nullptr, row->kernel->lanes};
  if (Status status = plan->pack_vectors(options); !status.ok()) return status;
  if (asked.m > 0 && (asked.m != options.m || asked.rows > 1 || asked.venom))
    if (Status status = band_check(plan->rows_, {asked.rows, asked.n, asked.m, asked.venom}); !status.ok()) return status;
  const auto pack = format == Format::kBands    ? &SpmmPlan::pack_bands
                    : format == Format::kGroups ? &SpmmPlan::pack_groups
                    : format == Format::kNm     ? &SpmmPlan::pack_nm
                                                : &SpmmPlan::pack_csr;
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
  const int vectors = nm_panel_vectors(n, m, kernel_->panel_vectors, kernel_->lanes);
  nm_layout(n, m, rows_, vectors, row_block(options, vectors), &nm_, kernel_->quantise, group_);
  weight_ = &nm_;
  int64_t kept;
  if (!nm_kept(nm_, &kept)) return Status(Code::kMemory, "the packed weight does not fit in memory");
  const bool int4 = options.values == DType::kInt4;
  const size_t values_bytes = int4 ? static_cast<size_t>(kept / 2) : static_cast<size_t>(kept) * size_of(options.values);
  const size_t fields_bytes = static_cast<size_t>(kept / (32 / nm_field_bits(m))) * 4;
  if (!values_.reserve(values_bytes) || !fields_.reserve(fields_bytes))
    return Status(Code::kMemory, "no memory for a packed weight of " + std::to_string(values_bytes + fields_bytes) + " bytes");
  bytes_ += values_bytes + fields_bytes;
  nm_.values = values_.as<void>();
  nm_.fields = fields_.as<uint32_t>();
  if (!int4) return nm_pack(rows_, nm_, packed_values(), fields_.as<uint32_t>());

  Int4Levels levels;
  if (Status status = int4_choose(rows_, int4_options(options), &levels); !status.ok()) return status;
  const size_t level_count = static_cast<size_t>(nm_levels(nm_));
  if (!level_scales_.reserve(level_count * sizeof(Half)) || !level_zeros_.reserve(options.zero_point ? level_count : 0))
    return Status(Code::kMemory, "no memory for the scales of a plan");
  bytes_ += level_count * (options.zero_point ? 3 : 2);
  nm_.levels.scales = level_scales_.as<Half>();
  nm_.levels.zeros = options.zero_point ? level_zeros_.as<int8_t>() : nullptr;
  return nm_pack_int4(rows_, nm_, levels);
}

Status SpmmPlan::pack_csr(const SpmmOptions& options) {
  weight_ = &csr_;
  PackedValues values = packed_values();
  const Status status = csr_pack(rows_, kernel_->panel_vectors, row_block(options, kernel_->panel_vectors), &values, &csr_, &csr_storage_);
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

Status SpmmPlan::pack_groups(const SpmmOptions& options) {
  weight_ = &groups_;
  Int4Levels levels;
  if (Status status = int4_choose(rows_, int4_options(options), &levels); !status.ok()) return status;
  const Status status = group_pack(rows_, levels, kernel_->quantise != nullptr, row_block(options, 1), &groups_, &group_storage_);
  bytes_ += group_storage_.bytes;
  return status;
}

// Row blocks: long enough that loading a panel of x is repaid, short enough that the accumulators of a block (192 KB) stay in L2, and
// enough of them that threads which start late leave theirs to the others.
int64_t SpmmPlan::row_block(const SpmmOptions& options, int panel_vectors) const {
  const int64_t threads = std::min(threads_, ThreadPool::instance().threads());
  const int64_t strips = std::clamp<int64_t>(options.tokens / (panel_vectors * kernel_->lanes), 1, 1024);
  const int64_t wanted = ceil_div(rows_.count() * strips, threads > 1 ? 8 * threads : 4);
  const int64_t most = std::min<int64_t>(1024, 48 * 1024 / (panel_vectors * kernel_->lanes));
  return round_up(std::clamp<int64_t>(wanted, 64, most), kernel_->lanes * (rows_.gated ? 2 : 1));
}

PackedValues SpmmPlan::packed_values() const { return {values_type_, values_.as<void>(), scale_.as<float>()}; }

void SpmmPlan::to_dense(float* dense) const {
  if (weight_ == &bands_)
    band_unpack(bands_, {values_type_, band_storage_.values.as<void>(), scale_.as<float>()}, rows_, dense);
  else if (weight_ == &csr_)
    csr_unpack(csr_, {values_type_, csr_storage_.values.as<void>(), scale_.as<float>()}, rows_, dense);
  else if (weight_ == &groups_)
    group_unpack(groups_, rows_, dense);
  else if (values_type_ == DType::kInt4)
    nm_unpack_int4(nm_, rows_, dense);
  else
    nm_unpack(nm_, packed_values(), rows_, dense);
}

int64_t SpmmPlan::scales_per_row() const {
  return values_type_ == DType::kInt4 ? ceil_div(weight_->in, group_) : values_type_ == DType::kInt8 ? 1 : 0;
}

void SpmmPlan::scales(float* scales) const {
  const int64_t each = scales_per_row();
  if (weight_ == &groups_) return group_scales(groups_, rows_, scales);
  for (int64_t row = 0; row < rows_.count(); ++row)
    for (int64_t i = 0; rows_.place(row) >= 0 && i < each; ++i)
      scales[rows_.place(row) * each + i] = group_ ? nm_level(nm_, row, i * group_).scale : scale_.as<float>()[row];
}

std::vector<KernelRow> spmm_kernels() {
  std::vector<KernelRow> rows;
  for (const auto& [kernel, values, isa] : kRows) {
    const bool int4 = values == DType::kInt4;
    const std::string pattern = int4 && kernel->m == 0 ? "groups of a row"
                                : kernel->height       ? "rows of " + std::to_string(kernel->height)
                                : kernel->m == 0 ? "unstructured"
                                                 : (kernel->n == 0 ? "N" : std::to_string(kernel->n)) + ":" + std::to_string(kernel->m);
    rows.push_back({kernel->name, "spmm",
                    !kernel->quantise ? name_of(values)
                    : int4            ? "w4a8"
                                      : "w8a8",
                    pattern, isa_name(isa), kernel->lanes, isa_supported(isa)});
  }
  return rows;
}

}  // namespace sk
