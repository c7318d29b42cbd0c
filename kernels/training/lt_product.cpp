#include "kernels/training/lt_product.h"

#include <cublasLt.h>

#include <cmath>
#include <cstdlib>
#include <limits>
#include <map>
#include <vector>

#include "kernels/cuda/buffers.h"
#include "kernels/cuda/check_cublas.h"
#include "kernels/cuda/device.h"
#include "kernels/cuda/stream_timer.h"
#include "kernels/kernel.h"
#include "kernels/matmul/cublas_plan.h"

namespace breakeven::training {
namespace {

constexpr int kCandidates = 16;  // asked of the heuristics

cublasLtHandle_t handle() {
  // Never destroyed: at exit the driver may be gone before this module.
  static const cublasLtHandle_t created = [] {
    // Emulation would answer for f32 with bf16 tensor cores.
    setenv("CUBLAS_EMULATE_SINGLE_PRECISION", "0", 1);
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

template <class Value>
void set(cublasLtMatmulDesc_t operation, cublasLtMatmulDescAttributes_t which, const Value& value) {
  check(cublasLtMatmulDescSetAttribute(operation, which, reinterpret_cast<const void*>(&value),
                                       sizeof value));
}

cublasLtEpilogue_t epilogue_of(LtEpilogue epilogue) {
  switch (epilogue) {
    case LtEpilogue::none:
      return CUBLASLT_EPILOGUE_DEFAULT;
    case LtEpilogue::bias:
      return CUBLASLT_EPILOGUE_BIAS;
    case LtEpilogue::bias_relu:
      return CUBLASLT_EPILOGUE_RELU_BIAS;
    case LtEpilogue::bias_gelu:
      return CUBLASLT_EPILOGUE_GELU_BIAS;  // the tanh form
  }
  throw std::logic_error("cublas: an unknown epilogue");
}

// C^T = op(B)^T op(A)^T in column-major words (kernels/matmul/cublas_plan.h), so that the bias,
// which cuBLASLt adds per row, is one per column of ours.
Operation make_operation(const LtCall& call, const matmul::LtProblem& problem) {
  const bool tf32 = call.precision == Precision::tf32;
  cublasLtMatmulDesc_t created = nullptr;
  check(cublasLtMatmulDescCreate(&created, tf32 ? CUBLAS_COMPUTE_32F_FAST_TF32 : CUBLAS_COMPUTE_32F,
                                 CUDA_R_32F));
  Operation operation(created);
  const auto transpose = [](bool transposed) { return transposed ? CUBLAS_OP_T : CUBLAS_OP_N; };
  set(created, CUBLASLT_MATMUL_DESC_TRANSA, transpose(problem.a.transposed));
  set(created, CUBLASLT_MATMUL_DESC_TRANSB, transpose(problem.b.transposed));
  if (call.epilogue == LtEpilogue::none) return operation;
  set(created, CUBLASLT_MATMUL_DESC_EPILOGUE, epilogue_of(call.epilogue));
  set(created, CUBLASLT_MATMUL_DESC_BIAS_POINTER, call.bias);
  return operation;
}

Layout make_layout(cudaDataType_t type, const matmul::LtMatrix& matrix) {
  cublasLtMatrixLayout_t created = nullptr;
  check(cublasLtMatrixLayoutCreate(&created, type, static_cast<std::uint64_t>(matrix.rows),
                                   static_cast<std::uint64_t>(matrix.columns), matrix.leading));
  return Layout(created);
}

Preference make_preference() {
  cublasLtMatmulPreference_t created = nullptr;
  check(cublasLtMatmulPreferenceCreate(&created));
  Preference preference(created);
  const std::uint64_t workspace = LtProduct::kWorkspaceBytes;
  check(cublasLtMatmulPreferenceSetAttribute(created, CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES,
                                             &workspace, sizeof workspace));
  // Split-K sums in the output's 16 bits would miss the error bound of f32 accumulation; sums in
  // place by atomics would not repeat.
  const std::uint32_t reductions =
      CUBLASLT_REDUCTION_SCHEME_NONE | CUBLASLT_REDUCTION_SCHEME_COMPUTE_TYPE;
  check(cublasLtMatmulPreferenceSetAttribute(created, CUBLASLT_MATMUL_PREF_REDUCTION_SCHEME_MASK,
                                             &reductions, sizeof reductions));
  return preference;
}

// What the heuristics' answer depends on.
std::string key_of(const LtCall& call) {
  std::string key;
  for (const std::int64_t value :
       {call.m, call.n, call.k, std::int64_t{call.trans_a}, std::int64_t{call.trans_b},
        std::int64_t{call.f32_result}, static_cast<std::int64_t>(call.precision),
        static_cast<std::int64_t>(call.epilogue)}) {
    key += std::to_string(value) + " ";
  }
  return key;
}

}  // namespace

struct LtProduct::Parts {
  LtCall call;
  Operation operation;
  Layout a, b, d;
  std::vector<cublasLtMatmulHeuristicResult_t> candidates;
  cublasLtMatmulAlgo_t algorithm{};

  cublasStatus_t multiply(void* workspace) const {
    const float alpha = 1, beta = 0;
    // beta is 0, so C is not read; D stands in for it.
    return cublasLtMatmul(handle(), operation.get(), &alpha, call.b, a.get(), call.a, b.get(),
                          &beta, call.c, d.get(), call.c, d.get(), &algorithm, workspace,
                          kWorkspaceBytes, work_stream());
  }
};

LtProduct::LtProduct(const LtCall& call) : parts_(std::make_unique<Parts>()) {
  const bool is_bf16 = call.precision == Precision::bf16;
  const cudaDataType_t input = is_bf16 ? CUDA_R_16BF : CUDA_R_32F;
  const matmul::LtProblem problem =
      matmul::lt_problem({call.m, call.n, call.k, call.trans_a, call.trans_b});
  parts_->call = call;
  parts_->operation = make_operation(call, problem);
  parts_->a = make_layout(input, problem.a);
  parts_->b = make_layout(input, problem.b);
  parts_->d = make_layout(call.f32_result ? CUDA_R_32F : input, problem.d);

  std::vector<cublasLtMatmulHeuristicResult_t> found(kCandidates);
  int count = 0;
  const cublasStatus_t status = cublasLtMatmulAlgoGetHeuristic(
      handle(), parts_->operation.get(), parts_->a.get(), parts_->b.get(), parts_->d.get(),
      parts_->d.get(), make_preference().get(), kCandidates, found.data(), &count);
  if (status != CUBLAS_STATUS_NOT_SUPPORTED) check(status);
  found.resize(status == CUBLAS_STATUS_SUCCESS ? static_cast<std::size_t>(count) : 0);
  for (const auto& each : found) {
    if (each.state != CUBLAS_STATUS_SUCCESS) continue;
    std::uint64_t flags = 0;
    std::size_t written = 0;
    check(cublasLtMatmulAlgoCapGetAttribute(&each.algo, CUBLASLT_ALGO_CAP_NUMERICAL_IMPL_FLAGS,
                                            &flags, sizeof flags, &written));
    if (matmul::numerics_fit(call.precision, flags)) parts_->candidates.push_back(each);
  }
  if (parts_->candidates.empty()) {
    throw Unsupported("cuBLASLt has no algorithm for a linear layer of this size and precision");
  }
}

LtProduct::~LtProduct() = default;

void LtProduct::choose() {
  // Once for all layers alike, and for both compilations of a graph: so a step gives the same bits
  // whichever of them runs it.
  static std::map<std::string, std::size_t> chosen_before;
  const std::string key = key_of(parts_->call);
  if (const auto known = chosen_before.find(key); known != chosen_before.end()) {
    parts_->algorithm = parts_->candidates.at(known->second).algo;
    return;
  }
  const DeviceBuffer trials(kWorkspaceBytes);
  void* workspace = trials.data();
  StreamTimer timer(work_stream(), nullptr);
  std::vector<double> seconds;
  double best = std::numeric_limits<double>::infinity();
  for (const auto& candidate : parts_->candidates) {
    parts_->algorithm = candidate.algo;
    seconds.push_back(std::nan(""));
    if (parts_->multiply(workspace) != CUBLAS_STATUS_SUCCESS ||
        cudaStreamSynchronize(work_stream()) != cudaSuccess) {
      cudaGetLastError();  // seen here; it must not surface at the next launch
      continue;
    }
    timer.set_call([this, workspace] { launch(workspace); });
    constexpr std::int64_t kLaunches = 4;  // memset, product and split-K reduction, with room
    seconds.back() = trial_seconds(timer, kLaunches, best);
    best = std::fmin(best, seconds.back());
  }
  const std::size_t chosen = matmul::fastest(seconds);
  if (chosen == seconds.size()) {
    throw Unsupported("every algorithm that cuBLASLt offers for a linear layer fails");
  }
  parts_->algorithm = parts_->candidates[chosen].algo;
  chosen_before[key] = chosen;
}

void LtProduct::launch(void* workspace) { check(parts_->multiply(workspace)); }

}  // namespace breakeven::training
