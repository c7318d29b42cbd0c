// Training steps by NVIDIA's libraries where they multiply: linear layers by cuBLASLt with bias and
// activation in its epilogue, convolutions by cuDNN's graphs; the rest by the kernels that
// `handwritten` has, so that the two differ in their products alone.
#include <cstdlib>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "kernels/conv2d/conv.h"
#include "kernels/conv2d/cudnn_step.h"
#include "kernels/cuda/tf32_override.h"
#include "kernels/training/device_backend.h"
#include "kernels/training/lt_call.h"

namespace breakeven::training {
namespace {

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

std::vector<void*> operands(const ConvProduct& p, conv2d::GraphWork work, void* to) {
  // Backward weights takes x, then dy.
  const bool turned = work == conv2d::GraphWork::backward_weights;
  std::vector<void*> operands = {const_cast<void*>(turned ? p.b : p.a),
                                 const_cast<void*>(turned ? p.a : p.b)};
  if (work == conv2d::GraphWork::bias_relu) operands.push_back(const_cast<void*>(p.bias));
  operands.push_back(to);
  return operands;
}

// Of work, size and precision: what the choice of a plan depends on.
std::string key_of(conv2d::GraphWork work, const Conv2dSize& s, Precision precision) {
  std::string key;
  for (const std::int64_t value :
       {static_cast<std::int64_t>(work), static_cast<std::int64_t>(precision), s.n, s.h, s.w, s.c,
        s.k, s.r, s.s, s.pad_h, s.pad_w, s.stride_h, s.stride_w, s.dilation_h, s.dilation_w,
        s.groups}) {
    key += std::to_string(value) + " ";
  }
  return key;
}

// The fastest plan, in a step that is yet to be bound; `result` is where trials write. Searched
// once for all convolutions alike, and for both compilations of a graph: so a step gives the same
// bits whichever of them runs it.
std::shared_ptr<conv2d::CudnnStep> chosen_step(const ConvProduct& p, conv2d::GraphWork work,
                                               Precision precision, bool is_narrow) {
  static std::map<std::string, std::string> chosen_before;
  const std::string key = key_of(work, p.size, precision);
  const auto known = chosen_before.find(key);
  DeviceBuffer trials;  // dw in bf16
  void* to = p.to;
  if (is_narrow && known == chosen_before.end()) {
    trials = DeviceBuffer(static_cast<std::size_t>(conv2d::w_elements(p.size)) * sizeof(bf16));
    to = trials.data();
  }
  const auto step = std::make_shared<conv2d::CudnnStep>(
      conv2d::CudnnGraph(work, p.size, Conv2dLayout::nhwc, precision), operands(p, work, to));
  if (known != chosen_before.end()) {
    step->take(known->second);
  } else {
    constexpr bool kRepeatable = true;
    step->choose(precision, op_of(work), conv2d::Algorithm::direct, kRepeatable);
    chosen_before[key] = step->plan();
  }
  return step;
}

// With the fastest algorithm; null where none has the epilogue.
std::shared_ptr<LtProduct> with_epilogue(const LtCall& call) {
  try {
    const auto product = std::make_shared<LtProduct>(call);
    product->choose();
    return product;
  } catch (const Unsupported&) {
    if (call.epilogue == LtEpilogue::none) throw;
    return nullptr;
  }
}

// Both libraries enqueue on work_stream(), which is the program's stream.
class LibraryProducts final : public DeviceProducts {
 public:
  void linear(DeviceBuild& build, const LinearProduct& p) override {
    LtCall call = lt_call(build.precision(), p);
    std::shared_ptr<LtProduct> product = with_epilogue(call);
    const bool is_whole = product != nullptr;
    if (!is_whole) {
      call.epilogue = LtEpilogue::none;
      product = with_epilogue(call);
      build.fact("linear", "bias and activation behind it");
    }
    build.call(LtProduct::kWorkspaceBytes, [product](void* workspace) {
      return [product, workspace](Stream) { product->launch(workspace); };
    });
    if (!is_whole) call_bias_activation(build, p.m, p.n, p.to, p.bias, p.activation);
  }

  void conv2d(DeviceBuild& build, const ConvProduct& p) override {
    const bool fused = p.bias != nullptr && p.activation == Activation::relu;
    const conv2d::GraphWork work = work_of(p, fused);
    // cuDNN stores bf16 gradients of bf16 operands.
    const bool is_narrow =
        work == conv2d::GraphWork::backward_weights && build.storage() == ElementType::bf16;
    const auto step = chosen_step(p, work, build.precision(), is_narrow);
    build.fact("conv2d", step->plan());
    const MakeNarrow make = [step](void* to, void* workspace) {
      step->bind(workspace, to);
      return [step](Stream) { step->launch(); };
    };
    if (is_narrow) {
      return call_widened(build, conv2d::w_elements(p.size), static_cast<float*>(p.to),
                          step->workspace_bytes(), make);
    }
    build.call(step->workspace_bytes(),
               [make, to = p.to](void* workspace) { return make(to, workspace); });
    if (p.bias == nullptr || fused) return;
    const std::int64_t pixels = p.size.n * p.size.p() * p.size.q();
    call_bias_activation(build, pixels, p.size.k, p.to, p.bias, p.activation);
  }
};

std::unique_ptr<DeviceProducts> library_products() { return std::make_unique<LibraryProducts>(); }

// The most workspace that they may take: plans are searched for only where there is memory.
class LargestWorkspaces final : public DeviceProducts {
 public:
  void linear(DeviceBuild& build, const LinearProduct&) override {
    build.call(LtProduct::kWorkspaceBytes, nothing);
  }
  void conv2d(DeviceBuild& build, const ConvProduct& p) override {
    const auto narrow = static_cast<std::size_t>(conv2d::w_elements(p.size)) * sizeof(bf16);
    build.call(conv2d::kMostWorkspaceBytes + narrow, nothing);
  }

 private:
  static PreparedLaunch nothing(void*) { return {}; }
};

std::unique_ptr<DeviceProducts> largest_workspaces() {
  return std::make_unique<LargestWorkspaces>();
}

TrainingBackend backend(const char* name, bool fused) {
  TrainingBackend result = device_backend(name, {Precision::f32, Precision::tf32, Precision::bf16},
                                          fused, library_products, largest_workspaces);
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
