// cuDNN through its graph API, with the fastest of the plans that it offers and that the row's
// numerics allow, timed once when a case is prepared.
#include <cudnn.h>
#include <cudnn_frontend_version.h>

#include <cstdint>
#include <cstdlib>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "kernels/conv2d/cudnn_graph.h"
#include "kernels/conv2d/cudnn_plan.h"
#include "kernels/conv2d/cudnn_step.h"
#include "kernels/cuda/buffered_kernel.h"
#include "kernels/cuda/device.h"
#include "kernels/cuda/tf32_override.h"
#include "reference/conv2d.h"

namespace breakeven {
namespace conv2d {
namespace {

/// fused: what the row asks for as one graph; unfused: the convolution, then bias and ReLU.
enum class Variant { fused, unfused, winograd };

GraphWork work_of(Conv2dOp op) {
  switch (op) {
    case Conv2dOp::forward:
      return GraphWork::forward;
    case Conv2dOp::bias_relu:
      return GraphWork::bias_relu;
    case Conv2dOp::backward_data:
      return GraphWork::backward_data;
    case Conv2dOp::backward_weights:
      return GraphWork::backward_weights;
  }
  throw std::logic_error("cudnn: an unknown operation");
}

// Of the unfused variant: sums before the bias, unrounded, since a result that is rounded to 16
// bits twice misses the row's error bound.
std::size_t sums_bytes(const Workload& conv, Precision precision) {
  const Operand y = conv.output(precision);
  return y.bytes() / element_bytes(y.type) * element_bytes(sum_type(precision));
}

class Cudnn final : public BufferedKernel {
 public:
  Cudnn(const Conv2d& conv, Precision precision, Variant variant)
      : BufferedKernel(conv, precision),
        op_(conv.direction),
        precision_(precision),
        algorithm_(variant == Variant::winograd ? Algorithm::winograd : Algorithm::direct) {
    std::vector<void*> operands;
    for (std::size_t i = 0; i < conv.inputs(precision).size(); ++i) {
      operands.push_back(input(i).data());
    }
    const auto graph = [&](GraphWork work) {
      return CudnnGraph(work, conv.size, conv.layout, precision);
    };
    if (variant == Variant::unfused) {
      sums_ = DeviceBuffer(sums_bytes(conv, precision));
      steps_.push_back(std::make_unique<CudnnStep>(
          graph(GraphWork::forward_sums), std::vector{operands[0], operands[1], sums_.data()}));
      steps_.push_back(
          std::make_unique<CudnnStep>(graph(GraphWork::bias_relu_alone),
                                      std::vector{sums_.data(), operands[2], result().data()}));
    } else {
      operands.push_back(result().data());
      steps_.push_back(std::make_unique<CudnnStep>(graph(work_of(op_)), operands));
    }
  }

  /// Searches the plans; their trials write the output.
  void prepare() override {
    workspaces_.clear();
    for (const auto& step : steps_) {
      step->choose(precision_, op_, algorithm_);
      workspaces_.emplace_back(step->workspace_bytes());
      step->bind(workspaces_.back().data());
    }
  }

  void run() override {
    for (const auto& step : steps_) step->launch();
  }

  Facts facts() const override {
    Facts facts;
    steps_.front()->add_facts(facts, "");
    if (steps_.size() == 1) return facts;
    steps_.back()->add_facts(facts, "bias_relu.");
    facts["between"] = precision_ == Precision::f64 ? "f64" : "f32";
    return facts;
  }

 private:
  Conv2dOp op_;
  Precision precision_;
  Algorithm algorithm_;
  DeviceBuffer sums_;  // unfused: what lies between the two graphs
  std::vector<std::unique_ptr<CudnnStep>> steps_;
  std::vector<DeviceBuffer> workspaces_;  // by step
};

std::string unsupported(Precision precision) {
  if (const std::string reason =
          environment_conflict(precision, std::getenv("NVIDIA_TF32_OVERRIDE"));
      !reason.empty()) {
    return reason;
  }
  return unsupported_precision(precision, device_info().compute_capability);
}

Implementation implementation(const char* name, Variant variant, Conv2dOp op,
                              std::vector<Precision> precisions) {
  Implementation result;
  result.op = conv2d_op_name(op);
  result.name = name;
  result.precisions = std::move(precisions);
  result.launches = {Launch::stream, Launch::graph};
  result.threaded = false;
  result.unsupported = [](const Workload&, Precision precision, const Options&) {
    return unsupported(precision);
  };
  result.footprint_bytes = [variant](const Workload& workload, Precision precision,
                                     const Options&) {
    const std::size_t between = variant == Variant::unfused ? sums_bytes(workload, precision) : 0;
    return operand_bytes(workload, precision) + between;
  };
  result.load = [variant](const Workload& workload, Precision precision, const Options&) {
    return std::make_unique<Cudnn>(static_cast<const Conv2d&>(workload), precision, variant);
  };
  return result;
}

}  // namespace

/// `cudnn`: one graph for the whole operation, direct sums. `cudnn_unfused`: the convolution and
/// then bias and ReLU, two graphs. `cudnn_winograd`: plans of Winograd's algorithm and no others.
void cudnn(Registry& registry) {
  using enum Precision;
  for (const Conv2dOp op : {Conv2dOp::forward, Conv2dOp::bias_relu, Conv2dOp::backward_data,
                            Conv2dOp::backward_weights}) {
    std::vector<Precision> precisions = {f64, f32, tf32, bf16, f16, fp8};
    registry.add(implementation("cudnn_winograd", Variant::winograd, op, {f32}));
    if (op == Conv2dOp::bias_relu) {
      registry.add(implementation("cudnn_unfused", Variant::unfused, op, precisions));
    }
    if (op == Conv2dOp::forward) precisions.push_back(int8);
    registry.add(implementation("cudnn", Variant::fused, op, precisions));
  }
}

}  // namespace conv2d

/// "cudnn.version", of the library that is loaded; "cudnn.frontend", of the headers; and the limit
/// of a plan's workspace.
Facts cudnn_facts() {
  Facts facts = cuda_facts();
  const std::size_t version = cudnnGetVersion();
  facts["cudnn.version"] = std::to_string(version / 10000) + "." +
                           std::to_string(version / 100 % 100) + "." +
                           std::to_string(version % 100);
  facts["cudnn.frontend"] = std::to_string(CUDNN_FRONTEND_MAJOR_VERSION) + "." +
                            std::to_string(CUDNN_FRONTEND_MINOR_VERSION) + "." +
                            std::to_string(CUDNN_FRONTEND_PATCH_VERSION);
  facts["cudnn.workspace_limit_bytes"] = std::to_string(conv2d::kMostWorkspaceBytes);
  return facts;
}

}  // namespace breakeven
