// cuBLASLt, with the fastest of its heuristics' algorithms, timed once when a case is prepared.
#include <cublasLt.h>

#include <cmath>
#include <cstdlib>
#include <limits>
#include <memory>
#include <vector>

#include "kernels/cuda/buffered_kernel.h"
#include "kernels/cuda/check_cublas.h"
#include "kernels/cuda/device.h"
#include "kernels/cuda/stream_timer.h"
#include "kernels/cuda/tf32_override.h"
#include "kernels/matmul/cublas_plan.h"
#include "reference/matmul.h"

namespace breakeven {
namespace matmul {
namespace {

constexpr std::size_t kWorkspaceBytes = std::size_t{32} << 20;
constexpr int kCandidates = 32;  // asked of the heuristics

static_assert(static_cast<std::uint64_t>(LtNumerics::hmma) == CUBLASLT_NUMERICAL_IMPL_FLAGS_HMMA &&
              static_cast<std::uint64_t>(LtNumerics::imma) == CUBLASLT_NUMERICAL_IMPL_FLAGS_IMMA &&
              static_cast<std::uint64_t>(LtNumerics::dmma) == CUBLASLT_NUMERICAL_IMPL_FLAGS_DMMA &&
              static_cast<std::uint64_t>(LtNumerics::accumulator_f16) ==
                  CUBLASLT_NUMERICAL_IMPL_FLAGS_ACCUMULATOR_16F &&
              static_cast<std::uint64_t>(LtNumerics::input_f16) ==
                  CUBLASLT_NUMERICAL_IMPL_FLAGS_INPUT_16F &&
              static_cast<std::uint64_t>(LtNumerics::input_bf16) ==
                  CUBLASLT_NUMERICAL_IMPL_FLAGS_INPUT_16BF &&
              static_cast<std::uint64_t>(LtNumerics::input_tf32) ==
                  CUBLASLT_NUMERICAL_IMPL_FLAGS_INPUT_TF32 &&
              static_cast<std::uint64_t>(LtNumerics::input_s8) ==
                  CUBLASLT_NUMERICAL_IMPL_FLAGS_INPUT_8I &&
              static_cast<std::uint64_t>(LtNumerics::input_e4m3) ==
                  CUBLASLT_NUMERICAL_IMPL_FLAGS_INPUT_8F_E4M3 &&
              static_cast<std::uint64_t>(LtNumerics::input_e5m2) ==
                  CUBLASLT_NUMERICAL_IMPL_FLAGS_INPUT_8F_E5M2);

enum class Variant { plain, pedantic, packed };

/// A precision in cuBLAS' words.
struct Types {
  cudaDataType_t input;
  cudaDataType_t output;
  cublasComputeType_t compute;
  cudaDataType_t scale;  ///< of alpha and beta
};

Types types_of(Precision precision, Variant variant) {
  const bool pedantic = variant == Variant::pedantic;
  switch (precision) {
    case Precision::f64:
      return {CUDA_R_64F, CUDA_R_64F, pedantic ? CUBLAS_COMPUTE_64F_PEDANTIC : CUBLAS_COMPUTE_64F,
              CUDA_R_64F};
    case Precision::f32:
      return {CUDA_R_32F, CUDA_R_32F, pedantic ? CUBLAS_COMPUTE_32F_PEDANTIC : CUBLAS_COMPUTE_32F,
              CUDA_R_32F};
    case Precision::tf32:
      return {CUDA_R_32F, CUDA_R_32F, CUBLAS_COMPUTE_32F_FAST_TF32, CUDA_R_32F};
    case Precision::bf16:
      return {CUDA_R_16BF, CUDA_R_16BF, CUBLAS_COMPUTE_32F, CUDA_R_32F};
    case Precision::f16:
      return {CUDA_R_16F, CUDA_R_16F, CUBLAS_COMPUTE_32F, CUDA_R_32F};
    case Precision::int8:
      return {CUDA_R_8I, CUDA_R_32I, CUBLAS_COMPUTE_32I, CUDA_R_32I};
    case Precision::fp8:
      return {CUDA_R_8F_E4M3, CUDA_R_16BF, CUBLAS_COMPUTE_32F, CUDA_R_32F};
  }
  throw std::logic_error("cublas: an unknown precision");
}

cublasLtHandle_t handle() {
  // Never destroyed: at exit the driver may be gone before this module.
  static const cublasLtHandle_t created = [] {
    // Emulation would answer for f32 and f64 with bf16 or integer tensor cores.
    setenv("CUBLAS_EMULATE_SINGLE_PRECISION", "0", 1);
    setenv("CUBLAS_EMULATE_DOUBLE_PRECISION", "0", 1);
    cublasLtHandle_t value = nullptr;
    check(cublasLtCreate(&value));
    return value;
  }();
  return created;
}

struct Destroy {
  void operator()(cublasLtMatmulDesc_t it) const { cublasLtMatmulDescDestroy(it); }
  void operator()(cublasLtMatrixLayout_t it) const { cublasLtMatrixLayoutDestroy(it); }
  void operator()(cublasLtMatmulPreference_t it) const { cublasLtMatmulPreferenceDestroy(it); }
};
using Operation = std::unique_ptr<cublasLtMatmulDescOpaque_t, Destroy>;
using Layout = std::unique_ptr<cublasLtMatrixLayoutOpaque_t, Destroy>;
using Preference = std::unique_ptr<cublasLtMatmulPreferenceOpaque_t, Destroy>;

Operation make_operation(const Types& types, const LtProblem& problem) {
  cublasLtMatmulDesc_t created = nullptr;
  check(cublasLtMatmulDescCreate(&created, types.compute, types.scale));
  Operation operation(created);
  const auto transpose = [&](cublasLtMatmulDescAttributes_t which, bool transposed) {
    const cublasOperation_t value = transposed ? CUBLAS_OP_T : CUBLAS_OP_N;
    check(cublasLtMatmulDescSetAttribute(created, which, &value, sizeof value));
  };
  transpose(CUBLASLT_MATMUL_DESC_TRANSA, problem.a.transposed);
  transpose(CUBLASLT_MATMUL_DESC_TRANSB, problem.b.transposed);
  // On, sums of fp8 products would stay in the tensor core, which keeps about 14 bits of them.
  const std::int8_t fast_accumulation = 0;
  check(cublasLtMatmulDescSetAttribute(created, CUBLASLT_MATMUL_DESC_FAST_ACCUM, &fast_accumulation,
                                       sizeof fast_accumulation));
  return operation;
}

Layout make_layout(cudaDataType_t type, const LtMatrix& matrix) {
  cublasLtMatrixLayout_t created = nullptr;
  check(cublasLtMatrixLayoutCreate(&created, type, static_cast<std::uint64_t>(matrix.rows),
                                   static_cast<std::uint64_t>(matrix.columns), matrix.leading));
  return Layout(created);
}

Preference make_preference() {
  cublasLtMatmulPreference_t created = nullptr;
  check(cublasLtMatmulPreferenceCreate(&created));
  Preference preference(created);
  const std::uint64_t workspace = kWorkspaceBytes;
  check(cublasLtMatmulPreferenceSetAttribute(created, CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES,
                                             &workspace, sizeof workspace));
  // Split-K sums in the output's 16 bits would miss the error bound of f32 accumulation.
  const std::uint32_t reductions =
      CUBLASLT_REDUCTION_SCHEME_NONE | CUBLASLT_REDUCTION_SCHEME_COMPUTE_TYPE;
  check(cublasLtMatmulPreferenceSetAttribute(created, CUBLASLT_MATMUL_PREF_REDUCTION_SCHEME_MASK,
                                             &reductions, sizeof reductions));
  return preference;
}

GemmShape shape_of(const Matmul& matmul) {
  return {matmul.m, matmul.n, matmul.k, matmul.trans_a, matmul.trans_b};
}

GemmShape packed_shape(GemmShape shape) {
  shape.trans_b = true;
  return shape;
}

template <class Value>
Value config(const cublasLtMatmulAlgo_t& algorithm, cublasLtMatmulAlgoConfigAttributes_t which) {
  Value value{};
  std::size_t written = 0;
  check(cublasLtMatmulAlgoConfigGetAttribute(&algorithm, which, &value, sizeof value, &written));
  return value;
}

class Cublas final : public BufferedKernel {
 public:
  Cublas(const Matmul& matmul, Precision precision, Variant variant)
      : BufferedKernel(matmul, precision),
        shape_(shape_of(matmul)),
        precision_(precision),
        variant_(variant),
        types_(types_of(precision, variant)),
        problem_(lt_problem(variant == Variant::packed ? packed_shape(shape_) : shape_)),
        operation_(make_operation(types_, problem_)),
        a_(make_layout(types_.input, problem_.a)),
        b_(make_layout(types_.input, problem_.b)),
        d_(make_layout(types_.output, problem_.d)),
        workspace_(kWorkspaceBytes) {
    if (types_.scale == CUDA_R_64F) {
      alpha_.f64 = 1;
    } else if (types_.scale == CUDA_R_32I) {
      alpha_.s32 = 1;
    } else {
      alpha_.f32 = 1;
    }
    find_candidates();
  }

  /// Packs B if this is the packed variant, then keeps the fastest candidate.
  void prepare() override {
    if (variant_ == Variant::packed) pack_b();
    std::vector<double> seconds;
    double best = std::numeric_limits<double>::infinity();
    StreamTimer timer(work_stream(), nullptr);
    for (const auto& candidate : candidates_) {
      algorithm_ = candidate.algo;
      seconds.push_back(seconds_of_one(timer, best));
      best = std::fmin(best, seconds.back());
    }
    chosen_ = fastest(seconds);
    if (chosen_ == seconds.size()) {
      throw Unsupported("every algorithm that cuBLASLt offers for this product fails");
    }
    algorithm_ = candidates_[chosen_].algo;
  }

  void run() override { check(multiply()); }

  Facts facts() const override {
    const auto number = [](auto value) { return std::to_string(value); };
    Facts facts = {
        {"algorithm", number(config<std::int32_t>(algorithm_, CUBLASLT_ALGO_CONFIG_ID))},
        {"tile", number(config<std::uint32_t>(algorithm_, CUBLASLT_ALGO_CONFIG_TILE_ID))},
        {"stages", number(config<std::uint32_t>(algorithm_, CUBLASLT_ALGO_CONFIG_STAGES_ID))},
        {"split_k", number(config<std::int32_t>(algorithm_, CUBLASLT_ALGO_CONFIG_SPLITK_NUM))},
        {"heuristic_rank", number(chosen_ + 1) + " of " + number(candidates_.size())},
        {"b", variant_ == Variant::packed ? "transposed in prepare" : "as stored"},
    };
    if (precision_ == Precision::fp8) facts["fast_accumulation"] = "off";
    return facts;
  }

 private:
  cublasStatus_t multiply() {
    // beta is 0, so C is not read; D stands in for it.
    return cublasLtMatmul(handle(), operation_.get(), &alpha_, input(1).data(), a_.get(),
                          input(0).data(), b_.get(), &beta_, result().data(), d_.get(),
                          result().data(), d_.get(), &algorithm_, workspace_.data(),
                          workspace_.bytes(), work_stream());
  }

  void find_candidates() {
    std::vector<cublasLtMatmulHeuristicResult_t> found(kCandidates);
    int count = 0;
    const cublasStatus_t status = cublasLtMatmulAlgoGetHeuristic(
        handle(), operation_.get(), a_.get(), b_.get(), d_.get(), d_.get(), make_preference().get(),
        kCandidates, found.data(), &count);
    if (status != CUBLAS_STATUS_NOT_SUPPORTED) check(status);
    found.resize(status == CUBLAS_STATUS_SUCCESS ? static_cast<std::size_t>(count) : 0);
    for (const auto& each : found) {
      if (each.state != CUBLAS_STATUS_SUCCESS) continue;
      std::uint64_t flags = 0;
      std::size_t written = 0;
      check(cublasLtMatmulAlgoCapGetAttribute(&each.algo, CUBLASLT_ALGO_CAP_NUMERICAL_IMPL_FLAGS,
                                              &flags, sizeof flags, &written));
      if (numerics_fit(precision_, flags)) candidates_.push_back(each);
    }
    if (candidates_.empty()) {
      throw Unsupported("cuBLASLt has no algorithm for this layout, shape and precision");
    }
  }

  void pack_b() {
    const std::vector<std::byte> stored = download(input(1));
    std::vector<std::byte> transposed(stored.size());
    transpose_bytes(stored, shape_.k, shape_.n, transposed);
    replace_input(1, upload(transposed));
  }

  // Seconds of one call with the current algorithm; NaN if it fails.
  double seconds_of_one(StreamTimer& timer, double best) {
    if (multiply() != CUBLAS_STATUS_SUCCESS ||
        cudaStreamSynchronize(work_stream()) != cudaSuccess) {
      // What was seen here must not surface at the next launch.
      cudaGetLastError();
      return std::nan("");
    }
    timer.set_call([this] { run(); });
    constexpr std::int64_t kLaunches = 4;  // memset, product and split-K reduction, with room
    return trial_seconds(timer, kLaunches, best);
  }

  union Scalar {
    double f64 = 0;  // all bytes zero: 0 of every type
    float f32;
    std::int32_t s32;
  };

  GemmShape shape_;
  Precision precision_;
  Variant variant_;
  Types types_;
  LtProblem problem_;
  Operation operation_;
  Layout a_;
  Layout b_;
  Layout d_;
  DeviceBuffer workspace_;
  Scalar alpha_;
  Scalar beta_;
  std::vector<cublasLtMatmulHeuristicResult_t> candidates_;
  cublasLtMatmulAlgo_t algorithm_{};
  std::size_t chosen_ = 0;
};

std::string unsupported(const Workload& workload, Precision precision, Variant variant) {
  const GemmShape shape = shape_of(static_cast<const Matmul&>(workload));
  const int capability = device_info().compute_capability;
  if (variant == Variant::packed) {
    if (shape.trans_a) return "only B is packed, and A is not stored with k innermost";
    if (shape.trans_b) return "both operands are stored with k innermost; see cublas";
    return unsupported_product(packed_shape(shape), precision, capability);
  }
  const std::string conflict = environment_conflict(precision, std::getenv("NVIDIA_TF32_OVERRIDE"));
  return conflict.empty() ? unsupported_product(shape, precision, capability) : conflict;
}

Implementation implementation(const char* name, Variant variant,
                              std::vector<Precision> precisions) {
  Implementation result;
  result.op = "matmul";
  result.name = name;
  result.precisions = std::move(precisions);
  result.launches = {Launch::stream, Launch::graph};
  result.threaded = false;
  result.unsupported = [variant](const Workload& workload, Precision precision, const Options&) {
    return unsupported(workload, precision, variant);
  };
  result.footprint_bytes = [](const Workload& workload, Precision precision, const Options&) {
    return operand_bytes(workload, precision) + kWorkspaceBytes;
  };
  result.load = [variant](const Workload& workload, Precision precision, const Options&) {
    return std::make_unique<Cublas>(static_cast<const Matmul&>(workload), precision, variant);
  };
  return result;
}

}  // namespace

/// `cublas`: operands as they lie. `cublas_pedantic`: cuBLAS's PEDANTIC compute types, without
/// the emulation and reduced-precision tensor-core paths of f32. `cublas_packed`: B transposed
/// once, where 8-bit tensor cores want k innermost.
void cublas(Registry& registry) {
  using enum Precision;
  registry.add(implementation("cublas", Variant::plain, {f64, f32, tf32, bf16, f16, int8, fp8}));
  registry.add(implementation("cublas_pedantic", Variant::pedantic, {f64, f32}));
  registry.add(implementation("cublas_packed", Variant::packed, {int8, fp8}));
}

}  // namespace matmul

/// "cublas.version", and the switches that were set for it.
Facts cublas_facts() {
  Facts facts = cuda_facts();
  const std::size_t version = cublasLtGetVersion();
  facts["cublas.version"] = std::to_string(version / 10000) + "." +
                            std::to_string(version / 100 % 100) + "." +
                            std::to_string(version % 100);
  facts["cublas.workspace_bytes"] = std::to_string(matmul::kWorkspaceBytes);
  facts["cublas.emulation"] = "off";
  return facts;
}

}  // namespace breakeven
