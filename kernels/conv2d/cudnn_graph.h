// A convolution as a graph of cuDNN, and the plans that cuDNN offers for it. The only place that
// sees cudnn-frontend, whose headers take a minute to compile.
#pragma once

#include <cudnn.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "kernels/conv2d/cudnn_plan.h"
#include "reference/conv2d.h"
#include "reference/precision.h"

namespace breakeven::conv2d {

/// What one graph computes, and the operands that it is bound to, in order.
enum class GraphWork {
  forward,           ///< x, w -> y
  bias_relu,         ///< x, w, bias -> y, fused
  backward_data,     ///< dy, w -> dx
  backward_weights,  ///< x, dy -> dw
  forward_sums,      ///< x, w -> y in sum_type()
  bias_relu_alone,   ///< y in sum_type(), bias -> y
};

/// How sums are kept in a precision: f32, f64 or s32.
ElementType sum_type(Precision precision);

/// A tensor as cuDNN describes it: images (or filters), channels, rows, columns, whatever the
/// layout, and elements between neighbours in each.
struct TensorShape {
  std::vector<std::int64_t> dimensions;
  std::vector<std::int64_t> strides;
};
TensorShape tensor_shape(Conv2dLayout layout, std::int64_t outer, std::int64_t channels,
                         std::int64_t rows, std::int64_t columns);

/// cuDNN's handle for work_stream(), made by the first call and kept. Throws Unsupported with
/// cuDNN's reason where there is no driver or GPU.
cudnnHandle_t cudnn_handle();

/// One graph: described, submitted, planned, bound to memory, launched, in this order.
class CudnnGraph {
 public:
  /// Describes the graph. Needs no GPU. Throws Unsupported with cuDNN's words where it refuses.
  CudnnGraph(GraphWork work, const Conv2dSize& size, Conv2dLayout layout, Precision precision);
  ~CudnnGraph();
  CudnnGraph(CudnnGraph&&) noexcept;

  /// Hands the graph to cuDNN, which judges its geometry and types. For that null will do for a
  /// handle, but no plan is found then. Throws Unsupported.
  void submit(cudnnHandle_t handle);

  /// Asks cuDNN's heuristics A, B and fallback, in this order. Throws Unsupported.
  void find_plans();

  std::size_t plans() const;
  std::string name(std::size_t plan) const;  ///< engine and knobs, "eng28_k2=5"
  PlanNotes notes(std::size_t plan) const;

  /// Makes a plan ready; its workspace in bytes. Throws std::runtime_error with cuDNN's words.
  std::size_t build(std::size_t plan);
  void release(std::size_t plan);

  /// Makes launch() run a built plan on `operands` (GraphWork's order, the result last). All memory
  /// must outlive it. Throws std::runtime_error.
  void bind(std::size_t plan, std::span<void* const> operands, void* workspace);

  /// Enqueues the bound plan on work_stream(); allocates nothing. Throws std::runtime_error.
  void launch();

 private:
  struct Parts;
  std::unique_ptr<Parts> parts_;
};

}  // namespace breakeven::conv2d
