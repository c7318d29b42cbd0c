// Convolutions that are plain matrix products: in NHWC, filters of 1x1 at stride 1 without padding
// see each pixel by itself. The ladders of kernels/matmul take them, wgmma with TMA where the GPU
// has it, and bound them as they bound a matrix product.
//
//                      C               A                  B
// forward              y [pixels,k]    x [pixels,c]       w [k,c], transposed
// backward data        dx [pixels,c]   dy [pixels,k]      w [k,c]
// backward weights     dw [k,c]        dy, transposed     x
#include <utility>

#include "kernels/conv2d/conv_rungs.h"
#include "kernels/matmul/dispatch.h"

namespace breakeven::conv2d {
namespace {

matmul::Gemm gemm_of(const Conv& conv) {
  const Conv2dSize& s = conv.size;
  const std::int64_t pixels = s.n * s.h * s.w;
  matmul::Gemm gemm;
  if (conv.op == Conv2dOp::backward_data) {
    gemm.shape = {pixels, s.c, s.k, false, false};
    gemm.lda = s.k, gemm.ldb = gemm.ldc = s.c;
  } else if (conv.op == Conv2dOp::backward_weights) {
    gemm.shape = {s.k, s.c, pixels, true, false};
    gemm.lda = s.k, gemm.ldb = gemm.ldc = s.c;
  } else {
    gemm.shape = {pixels, s.k, s.c, false, true};
    gemm.lda = gemm.ldb = s.c, gemm.ldc = s.k;
  }
  const bool turned = conv.op == Conv2dOp::backward_weights;  // inputs are x, then dy
  gemm.a = conv.inputs[turned ? 1 : 0];
  gemm.b = conv.inputs[turned ? 0 : 1];
  gemm.c = conv.output;
  gemm.bias = bias_of(conv);
  if (conv.op == Conv2dOp::bias_relu) gemm.epilogue = matmul::Epilogue::bias_relu;
  return gemm;
}

/// The product and the rung that takes it; no rung where none does.
struct Product {
  matmul::Gemm gemm;
  const matmul::Rung* rung;
};

Product product_of(const Conv& conv, Precision precision, const Gpu& gpu) {
  Product product = {gemm_of(conv), nullptr};
  const matmul::Choice choice = matmul::choose(product.gemm, precision, gpu);
  product.rung = choice.rung;
  product.gemm.tiling = choice.tiling;
  return product;
}

template <Precision kPrecision>
std::string unsupported(const Conv& conv, const Gpu& gpu) {
  const Conv2dSize& s = conv.size;
  if (conv.layout != Conv2dLayout::nhwc) return "takes NHWC alone: a matrix with a pixel a row";
  if (s.r != 1 || s.s != 1) return "is for filters of 1x1";
  if (s.stride_h != 1 || s.stride_w != 1) return "is for stride 1";
  if (s.pad_h != 0 || s.pad_w != 0) return "is for no padding";
  if (s.groups != 1) return "is for one group";
  if (kPrecision == Precision::int8 && conv.op != Conv2dOp::forward) {
    return "int8 is forward alone, without bias";
  }
  return product_of(conv, kPrecision, gpu).rung == nullptr
             ? "no hand-written matrix product takes this one on this GPU"
             : "";
}

template <Precision kPrecision>
std::size_t workspace_bytes(const Conv& conv, const Gpu& gpu) {
  const Product product = product_of(conv, kPrecision, gpu);
  return product.rung->workspace_bytes(product.gemm, gpu);
}

template <Precision kPrecision>
PreparedConv prepare(const Conv& conv, void* workspace, const Gpu& gpu) {
  const Product product = product_of(conv, kPrecision, gpu);
  matmul::PreparedGemm prepared = product.rung->prepare(product.gemm, workspace, gpu);
  std::string plan = product.rung->name;
  if (!prepared.plan.empty()) plan += ", " + prepared.plan;
  return {std::move(prepared.enqueue), std::move(plan)};
}

template <Precision kPrecision>
Rung rung_of() {
  constexpr int kMinCompute = kPrecision == Precision::fp8 ? 89 : 80;
  return {"pointwise",
          kPrecision,
          kMinCompute,
          kAnyCompute,
          unsupported<kPrecision>,
          workspace_bytes<kPrecision>,
          prepare<kPrecision>};
}

}  // namespace

std::vector<Rung> pointwise_rungs() {
  return {rung_of<Precision::f32>(), rung_of<Precision::tf32>(), rung_of<Precision::bf16>(),
          rung_of<Precision::f16>(), rung_of<Precision::fp8>(),  rung_of<Precision::int8>()};
}

}  // namespace breakeven::conv2d
