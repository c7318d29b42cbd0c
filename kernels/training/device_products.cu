// Products by the hand-written kernels of kernels/matmul and kernels/conv2d.
#include <string>
#include <utility>

#include "kernels/conv2d/conv_dispatch.h"
#include "kernels/kernel.h"
#include "kernels/matmul/dispatch.h"
#include "kernels/training/device_products.h"
#include "kernels/training/widen.h"

namespace breakeven::training {
namespace {

matmul::Gemm gemm_of(const LinearProduct& p) {
  matmul::Gemm gemm;
  gemm.a = p.a, gemm.b = p.b, gemm.c = p.to;
  switch (p.direction) {
    case Direction::forward:
      gemm.shape = {p.m, p.n, p.k, false, true};
      gemm.lda = gemm.ldb = p.k, gemm.ldc = p.n;
      break;
    case Direction::backward_data:
      gemm.shape = {p.m, p.k, p.n, false, false};
      gemm.lda = p.n, gemm.ldb = gemm.ldc = p.k;
      break;
    case Direction::backward_weights:
      gemm.shape = {p.n, p.k, p.m, true, false};
      gemm.lda = p.n, gemm.ldb = gemm.ldc = p.k;
      break;
  }
  return gemm;
}

matmul::Epilogue epilogue_of(Activation activation) {
  if (activation == Activation::relu) return matmul::Epilogue::bias_relu;
  if (activation == Activation::gelu) return matmul::Epilogue::bias_gelu;
  return matmul::Epilogue::bias;
}

Conv2dOp op_of(Direction direction) {
  if (direction == Direction::backward_data) return Conv2dOp::backward_data;
  if (direction == Direction::backward_weights) return Conv2dOp::backward_weights;
  return Conv2dOp::forward;
}

class HandwrittenProducts final : public DeviceProducts {
 public:
  void linear(DeviceBuild& build, const LinearProduct& p) override {
    matmul::Gemm gemm = gemm_of(p);
    const Gpu gpu = build.gpu();
    matmul::Choice choice;
    bool is_whole = p.bias == nullptr && p.activation == Activation::none;
    if (p.bias != nullptr) {
      gemm.bias = p.bias;
      gemm.epilogue = epilogue_of(p.activation);
      choice = matmul::choose(gemm, build.precision(), gpu);
      is_whole = choice.rung != nullptr;
    }
    if (choice.rung == nullptr) {
      gemm.bias = nullptr;
      gemm.epilogue = matmul::Epilogue::none;
      choice = matmul::choose(gemm, build.precision(), gpu);
    }
    if (choice.rung == nullptr) {
      throw Unsupported("no hand-written product for a linear layer of this size on this GPU");
    }
    gemm.tiling = choice.tiling;
    build.fact("linear", choice.rung->name);
    const matmul::Rung& rung = *choice.rung;
    const std::size_t bytes = rung.workspace_bytes(gemm, gpu);
    const auto make = [gemm, gpu, &rung](void* to, void* workspace) {
      matmul::Gemm into = gemm;
      into.c = to;
      return rung.prepare(into, workspace, gpu).enqueue;
    };
    if (p.direction == Direction::backward_weights && build.storage() == ElementType::bf16) {
      return call_widened(build, p.n * p.k, static_cast<float*>(p.to), bytes, make);
    }
    build.call(bytes, [=](void* workspace) { return make(p.to, workspace); });
    if (!is_whole) call_bias_activation(build, p.m, p.n, p.to, p.bias, p.activation);
  }

  void conv2d(DeviceBuild& build, const ConvProduct& p) override {
    conv2d::Conv conv;
    conv.size = p.size;
    conv.op = op_of(p.direction);
    // Backward weights takes x, then dy.
    const bool turned = p.direction == Direction::backward_weights;
    conv.inputs[0] = turned ? p.b : p.a;
    conv.inputs[1] = turned ? p.a : p.b;
    conv.output = p.to;
    const Gpu gpu = build.gpu();
    const conv2d::Rung* rung = nullptr;
    bool is_whole = p.bias == nullptr && p.activation == Activation::none;
    if (p.bias != nullptr && p.activation == Activation::relu) {
      conv.op = Conv2dOp::bias_relu;
      conv.inputs[2] = p.bias;
      rung = conv2d::choose(conv, build.precision(), gpu);
      is_whole = rung != nullptr;
    }
    if (rung == nullptr) {
      conv.op = op_of(p.direction);
      conv.inputs[2] = nullptr;
      rung = conv2d::choose(conv, build.precision(), gpu);
    }
    if (rung == nullptr) {
      throw Unsupported("no hand-written convolution of this size on this GPU");
    }
    build.fact("conv2d", rung->name);
    const std::size_t bytes = rung->workspace_bytes(conv, gpu);
    const auto make = [conv, gpu, rung](void* to, void* workspace) {
      conv2d::Conv into = conv;
      into.output = to;
      return rung->prepare(into, workspace, gpu).enqueue;
    };
    if (turned && build.storage() == ElementType::bf16) {
      return call_widened(build, conv2d::w_elements(p.size), static_cast<float*>(p.to), bytes,
                          make);
    }
    build.call(bytes, [=](void* workspace) { return make(p.to, workspace); });
    if (is_whole) return;
    const std::int64_t pixels = p.size.n * p.size.p() * p.size.q();
    call_bias_activation(build, pixels, p.size.k, p.to, p.bias, p.activation);
  }
};

}  // namespace

void call_widened(DeviceBuild& build, std::int64_t elements, float* to, std::size_t workspace_bytes,
                  const MakeNarrow& make) {
  constexpr std::size_t kAligned = 256;
  const std::size_t first =
      (static_cast<std::size_t>(elements) * sizeof(bf16) + kAligned - 1) / kAligned * kAligned;
  build.fact("weight_gradients", "rounded to bf16");
  build.call(first + workspace_bytes, [=](void* workspace) {
    return in_order(make(workspace, static_cast<std::byte*>(workspace) + first),
                    prepare_widen(static_cast<const bf16*>(workspace), to, elements));
  });
}

std::unique_ptr<DeviceProducts> handwritten_products() {
  return std::make_unique<HandwrittenProducts>();
}

}  // namespace breakeven::training
