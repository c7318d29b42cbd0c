// The hand-written convolutions as competitors: every rung by itself; `handwritten`, the rung that
// is expected to be the fastest for the shape and the GPU; and `handwritten_unfused`, the same with
// bias and ReLU as a kernel of their own.
#include <algorithm>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "kernels/conv2d/bias_relu.h"
#include "kernels/conv2d/conv.h"
#include "kernels/conv2d/conv_dispatch.h"
#include "kernels/cuda/buffered_kernel.h"
#include "kernels/cuda/device.h"
#include "kernels/cuda/probes.h"
#include "kernels/kernel.h"

namespace breakeven::conv2d {
namespace {

constexpr Conv2dOp kOps[] = {Conv2dOp::forward, Conv2dOp::bias_relu, Conv2dOp::backward_data,
                             Conv2dOp::backward_weights};
constexpr const char* kBest = "handwritten";
constexpr const char* kUnfused = "handwritten_unfused";

Gpu gpu() { return {device_info().compute_capability, device_info().sms}; }

/// The call that a competitor's rung makes; the tensors are allocated later, aligned to 256 bytes.
Conv call_of(const std::string& name, const Workload& workload) {
  const auto& conv2d = static_cast<const Conv2d&>(workload);
  const bool unfused = name == kUnfused;
  return {conv2d.size, unfused ? Conv2dOp::forward : conv2d.direction, conv2d.layout};
}

/// The rung `name`, or the best one; nullptr where there is none.
const Rung* rung_of(const std::string& name, const Conv& conv, Precision precision) {
  return name == kBest || name == kUnfused ? choose(conv, precision, gpu())
                                           : find_rung(name, precision);
}

class ConvKernel final : public BufferedKernel {
 public:
  ConvKernel(const std::string& name, const Conv2d& workload, Precision precision)
      : BufferedKernel(workload, precision),
        call_(call_of(name, workload)),
        whole_(call_),
        rung_(*rung_of(name, call_, precision)),
        is_unfused_(name == kUnfused) {
    for (std::size_t i = 0; i < workload.inputs(precision).size(); ++i) {
      whole_.inputs[i] = input(i).data();
    }
    whole_.output = result().data();
    whole_.op = workload.direction;
    call_.inputs[0] = whole_.inputs[0];
    call_.inputs[1] = whole_.inputs[1];
    call_.inputs[2] = is_unfused_ ? nullptr : whole_.inputs[2];
    call_.output = whole_.output;
    workspace_ = DeviceBuffer(rung_.workspace_bytes(call_, gpu()));
  }

  void prepare() override {
    prepared_ = rung_.prepare(call_, workspace_.data(), gpu());
    if (is_unfused_) {
      prepared_.enqueue = in_order(std::move(prepared_.enqueue), prepare_bias_relu(whole_));
    }
  }

  void run() override { prepared_.enqueue(work_stream()); }

  Facts facts() const override {
    Facts facts = {{"implementation", rung_.name}};
    if (!prepared_.plan.empty()) facts["plan"] = prepared_.plan;
    return facts;
  }

 private:
  Conv call_;   ///< what the rung computes
  Conv whole_;  ///< what the workload asks for
  const Rung& rung_;
  bool is_unfused_;
  DeviceBuffer workspace_;
  PreparedConv prepared_;
};

std::string reason_against(const std::string& name, const Workload& workload, Precision precision) {
  if (name == kUnfused) {
    const auto& conv2d = static_cast<const Conv2d&>(workload);
    const std::string reason =
        bias_relu_unsupported({conv2d.size, conv2d.direction, conv2d.layout}, precision);
    if (!reason.empty()) return reason;
  }
  const Conv conv = call_of(name, workload);
  const Rung* rung = rung_of(name, conv, precision);
  if (rung == nullptr) return "no hand-written kernel for this convolution on this GPU";
  std::string reason = unsupported_reason(*rung, conv, gpu());
  // An older architecture's code runs on a newer GPU, but traps where it lacks an instruction.
  const int code = device_code_version();
  if (reason.empty() && code < rung->min_compute_capability) {
    reason = "needs code for sm_" + std::to_string(rung->min_compute_capability) +
             " or later, this build's for this GPU is sm_" + std::to_string(code) + "'s";
  }
  return reason;
}

std::size_t footprint_bytes(const std::string& name, const Workload& workload,
                            Precision precision) {
  const Conv conv = call_of(name, workload);
  const Rung* rung = rung_of(name, conv, precision);
  const bool runs = rung != nullptr && unsupported_reason(*rung, conv, gpu()).empty();
  return operand_bytes(workload, precision) + (runs ? rung->workspace_bytes(conv, gpu()) : 0);
}

void add(Registry& registry, const std::string& name, Conv2dOp op,
         std::vector<Precision> precisions) {
  Implementation implementation;
  implementation.op = conv2d_op_name(op);
  implementation.name = name;
  implementation.precisions = std::move(precisions);
  if (name == kBest) {
    implementation.launches = {Launch::stream, Launch::graph};
  } else {
    implementation.caches = {Cache::warm};  // a ladder needs one row a rung
  }
  implementation.threaded = false;
  implementation.unsupported = [name](const Workload& workload, Precision precision,
                                      const Options&) {
    return reason_against(name, workload, precision);
  };
  implementation.footprint_bytes = [name](const Workload& workload, Precision precision,
                                          const Options&) {
    return footprint_bytes(name, workload, precision);
  };
  implementation.load = [name](const Workload& workload, Precision precision, const Options&) {
    return std::make_unique<ConvKernel>(name, static_cast<const Conv2d&>(workload), precision);
  };
  registry.add(std::move(implementation));
}

/// Precisions of the rungs called `name` ("": of all) for an operation: int8 is forward alone.
std::vector<Precision> precisions_of(const std::string& name, Conv2dOp op) {
  std::vector<Precision> precisions;
  for (const Rung& rung : rungs()) {
    const bool known = std::count(precisions.begin(), precisions.end(), rung.precision) > 0;
    const bool has_op = rung.precision != Precision::int8 || op == Conv2dOp::forward;
    if (has_op && !known && (name.empty() || name == rung.name)) {
      precisions.push_back(rung.precision);
    }
  }
  return precisions;
}

}  // namespace

void handwritten(Registry& registry) {
  std::vector<std::string> names;
  for (const Rung& rung : rungs()) {
    if (names.empty() || names.back() != rung.name) names.emplace_back(rung.name);
  }
  for (const Conv2dOp op : kOps) {
    add(registry, kBest, op, precisions_of("", op));
    for (const std::string& name : names) {
      // No row where a rung never has an answer.
      if (name == "winograd" && op == Conv2dOp::backward_weights) continue;
      std::vector<Precision> precisions = precisions_of(name, op);
      const bool gradient = op == Conv2dOp::backward_data || op == Conv2dOp::backward_weights;
      if (name == "implicit_wgmma" && gradient) std::erase(precisions, Precision::tf32);
      add(registry, name, op, std::move(precisions));
    }
  }
  add(registry, kUnfused, Conv2dOp::bias_relu, {Precision::f32, Precision::tf32});
}

}  // namespace breakeven::conv2d
