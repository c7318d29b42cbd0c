// Training steps by NVIDIA's libraries where they multiply: linear layers by cuBLASLt with bias and
// activation in its epilogue, convolutions by cuDNN's graphs; the rest by the kernels that
// `handwritten` has, so that the two differ in their products alone.
#include <cstdlib>
#include <utility>

#include "kernels/conv2d/cudnn_step.h"
#include "kernels/cuda/tf32_override.h"
#include "kernels/training/device_backend.h"
#include "kernels/training/lt_product.h"
#include "kernels/training/widen.h"

namespace breakeven::training {
namespace {

LtCall lt_call(const DeviceBuild& build, const LinearProduct& p) {
  LtCall call{};
  call.precision = build.precision();
  call.a = p.a, call.b = p.b, call.c = p.to, call.bias = p.bias;
  switch (p.direction) {
    case Direction::forward:
      call.m = p.m, call.n = p.n, call.k = p.k;
      call.trans_b = true;
      break;
    case Direction::backward_data:
      call.m = p.m, call.n = p.k, call.k = p.n;
      break;
    case Direction::backward_weights:
      call.m = p.n, call.n = p.k, call.k = p.m;
      call.trans_a = true;
      call.f32_result = true;
      break;
  }
  if (p.bias == nullptr) return call;
  call.epilogue = p.activation == Activation::relu   ? LtEpilogue::bias_relu
                  : p.activation == Activation::gelu ? LtEpilogue::bias_gelu
                                                     : LtEpilogue::bias;
  return call;
}

conv2d::GraphWork work_of(const ConvProduct& p, bool fused) {
  if (p.direction == Direction::backward_data) return conv2d::GraphWork::backward_data;
  if (p.direction == Direction::backward_weights) return conv2d::GraphWork::backward_weights;
  return fused ? conv2d::GraphWork::bias_relu : conv2d::GraphWork::forward;
}

Conv2dOp op_of(conv2d::GraphWork work) {
  if (work == conv2d::GraphWork::bias_relu) return Conv2dOp::bias_relu;
  if (work == conv2d::GraphWork::backward_data) return Conv2dOp::backward_data;
  if (work == conv2d::GraphWork::backward_weights) return Conv2dOp::backward_weights;
  return Conv2dOp::forward;
}

class LibraryProducts final : public DeviceProducts {
 public:
  void linear(DeviceBuild& build, const LinearProduct& p) override {
    const auto product = std::make_shared<LtProduct>(lt_call(build, p));
    product->choose(trial_workspace());
    build.call(LtProduct::kWorkspaceBytes, [product](void* workspace) {
      return [product, workspace](Stream) { product->launch(workspace); };
    });
  }

  void conv2d(DeviceBuild& build, const ConvProduct& p) override {
    const bool fused = p.bias != nullptr && p.activation == Activation::relu;
    const conv2d::GraphWork work = work_of(p, fused);
    const bool is_widened =
        work == conv2d::GraphWork::backward_weights && build.storage() == ElementType::bf16;
    // cuDNN stores bf16 gradients of bf16 operands; they are widened behind it.
    const std::int64_t gradients = conv2d_weights(p.size);
    void* to = p.to;
    if (is_widened) {
      narrow_.push_back(DeviceBuffer(static_cast<std::size_t>(gradients) * sizeof(bf16)));
      to = narrow_.back().data();
    }
    const auto step = std::make_shared<conv2d::CudnnStep>(
        conv2d::CudnnGraph(work, p.size, Conv2dLayout::nhwc, build.precision()),
        operands(p, work, to));
    step->choose(build.precision(), op_of(work), conv2d::Algorithm::direct);
    build.fact("conv2d", step->plan());
    build.call(step->workspace_bytes(), [step](void* workspace) {
      step->bind(workspace);
      return [step](Stream) { step->launch(); };
    });
    if (is_widened) {
      build.call(prepare_widen(static_cast<const bf16*>(to), static_cast<float*>(p.to), gradients));
    }
    if (p.bias == nullptr || fused) return;
    const std::int64_t pixels = p.size.n * p.size.p() * p.size.q();
    call_bias_activation(build, pixels, p.size.k, p.to, p.bias, p.activation);
  }

 private:
  static std::int64_t conv2d_weights(const Conv2dSize& s) { return s.k * s.r * s.s * s.group_c(); }

  static std::vector<void*> operands(const ConvProduct& p, conv2d::GraphWork work, void* to) {
    // Backward weights takes x, then dy.
    const bool turned = work == conv2d::GraphWork::backward_weights;
    std::vector<void*> operands = {const_cast<void*>(turned ? p.b : p.a),
                                   const_cast<void*>(turned ? p.a : p.b)};
    if (work == conv2d::GraphWork::bias_relu) operands.push_back(const_cast<void*>(p.bias));
    operands.push_back(to);
    return operands;
  }

  void* trial_workspace() {
    if (trials_.bytes() == 0) trials_ = DeviceBuffer(LtProduct::kWorkspaceBytes);
    return trials_.data();
  }

  DeviceBuffer trials_;
  std::vector<DeviceBuffer> narrow_;  // dw in bf16
};

std::unique_ptr<DeviceProducts> library_products() { return std::make_unique<LibraryProducts>(); }

TrainingBackend backend(const char* name, bool fused) {
  TrainingBackend result = device_backend(name, {Precision::f32, Precision::tf32, Precision::bf16},
                                          fused, library_products);
  result.unsupported = [others = result.unsupported](const TrainingStep& step, Precision precision,
                                                     const Options& options) {
    const std::string conflict =
        environment_conflict(precision, std::getenv("NVIDIA_TF32_OVERRIDE"));
    return conflict.empty() ? others(step, precision, options) : conflict;
  };
  return result;
}

}  // namespace

void cublas_cudnn(Registry& registry) {
  add_training(registry, backend("cublas_cudnn", true));
  add_training(registry, backend("cublas_cudnn_unfused", false));
}

}  // namespace breakeven::training
