#include "kernels/conv2d/cudnn_graph.h"

#include <cudnn_frontend.h>

#include <array>
#include <cstdint>
#include <optional>
#include <stdexcept>
#include <vector>

#include "kernels/conv2d/strides.h"
#include "kernels/cuda/check_cudnn.h"
#include "kernels/cuda/device.h"
#include "kernels/kernel.h"

namespace breakeven::conv2d {
namespace {

namespace fe = cudnn_frontend;
using TensorPointer = std::shared_ptr<fe::graph::Tensor_attributes>;

constexpr auto note_bit(cudnnBackendNumericalNote_t note) { return PlanNotes{1} << note; }
static_assert(static_cast<PlanNotes>(PlanNote::tensor_core) ==
                  note_bit(CUDNN_NUMERICAL_NOTE_TENSOR_CORE) &&
              static_cast<PlanNotes>(PlanNote::down_convert_inputs) ==
                  note_bit(CUDNN_NUMERICAL_NOTE_DOWN_CONVERT_INPUTS) &&
              static_cast<PlanNotes>(PlanNote::reduced_precision_reduction) ==
                  note_bit(CUDNN_NUMERICAL_NOTE_REDUCED_PRECISION_REDUCTION) &&
              static_cast<PlanNotes>(PlanNote::fft) == note_bit(CUDNN_NUMERICAL_NOTE_FFT) &&
              static_cast<PlanNotes>(PlanNote::nondeterministic) ==
                  note_bit(CUDNN_NUMERICAL_NOTE_NONDETERMINISTIC) &&
              static_cast<PlanNotes>(PlanNote::winograd) ==
                  note_bit(CUDNN_NUMERICAL_NOTE_WINOGRAD) &&
              static_cast<PlanNotes>(PlanNote::winograd_tile_4x4) ==
                  note_bit(CUDNN_NUMERICAL_NOTE_WINOGRAD_TILE_4x4) &&
              static_cast<PlanNotes>(PlanNote::winograd_tile_6x6) ==
                  note_bit(CUDNN_NUMERICAL_NOTE_WINOGRAD_TILE_6x6) &&
              static_cast<PlanNotes>(PlanNote::winograd_tile_13x13) ==
                  note_bit(CUDNN_NUMERICAL_NOTE_WINOGRAD_TILE_13x13) &&
              static_cast<PlanNotes>(PlanNote::strict_nan_prop) ==
                  note_bit(CUDNN_NUMERICAL_NOTE_STRICT_NAN_PROP));

// The numerical note that cudnn-frontend calls by a number of its own; 0: none.
PlanNotes bit_of(fe::NumericalNote_t note) {
  cudnnBackendNumericalNote_t value{};
  if (fe::detail::convert_to_cudnn_type(note, value) != CUDNN_STATUS_SUCCESS) return 0;
  return note_bit(value);
}

PlanNotes bit_of(fe::BehaviorNote_t note) {
  switch (note) {
    case fe::BehaviorNote_t::REQUIRES_FILTER_INT8x32_REORDER:
    case fe::BehaviorNote_t::REQUIRES_BIAS_INT8x32_REORDER:
      return static_cast<PlanNotes>(PlanNote::reordered_operands);
    case fe::BehaviorNote_t::RUNTIME_COMPILATION:
      return static_cast<PlanNotes>(PlanNote::runtime_compilation);
    default:
      return 0;
  }
}

fe::DataType_t data_type(ElementType type) {
  switch (type) {
    case ElementType::f64:
      return fe::DataType_t::DOUBLE;
    case ElementType::f32:
      return fe::DataType_t::FLOAT;
    case ElementType::bf16:
      return fe::DataType_t::BFLOAT16;
    case ElementType::f16:
      return fe::DataType_t::HALF;
    case ElementType::e4m3:
      return fe::DataType_t::FP8_E4M3;
    case ElementType::s8:
      return fe::DataType_t::INT8;
    case ElementType::s32:
      return fe::DataType_t::INT32;
  }
  throw std::logic_error("cudnn: an unknown element type");
}

void require(fe::error_object error) {
  if (!error.is_bad()) return;
  throw std::runtime_error(refusal_text(error.get_message()));
}

void support(fe::error_object error) {
  if (!error.is_bad()) return;
  throw Unsupported("cuDNN: " + refusal_text(error.get_message()));
}

// cudnn-frontend lets nobody read a plan's numerical notes, or run a plan without making a
// descriptor of its operands for every call; its members are there for classes derived from it.
class PlannedGraph final : public fe::graph::Graph {
 public:
  PlanNotes notes(std::size_t plan) const {
    PlanNotes all = 0;
    for (const auto note : plans.numeric_notes.at(plan)) all |= bit_of(note);
    for (const auto note : plans.behavior_notes.at(plan)) all |= bit_of(note);
    return all;
  }
  cudnnBackendDescriptor_t built(std::size_t plan) const {
    return plans.execution_plans.at(plan)->get_raw_desc();
  }
  std::size_t workspace_bytes(std::size_t plan) const {
    return static_cast<std::size_t>(plans.execution_plans.at(plan)->getWorkspaceSize());
  }
  void release(std::size_t plan) { plans.execution_plans.at(plan).reset(); }
};

// Writes a convolution into a graph. Operand i of GraphWork has the unique id i + 1.
class Writer {
 public:
  Writer(PlannedGraph& graph, const Conv2dSize& size, Conv2dLayout layout, Precision precision)
      : graph_(graph),
        size_(size),
        layout_(layout),
        input_(data_type(traits(precision).input)),
        sum_(data_type(sum_type(precision))),
        output_(data_type(traits(precision).output)) {
    graph.set_intermediate_data_type(sum_).set_compute_data_type(sum_);
  }

  void write(GraphWork work) {
    switch (work) {
      case GraphWork::forward:
        return finish(forward(), y(), output_);
      case GraphWork::forward_sums:
        return finish(forward(), y(), sum_);
      case GraphWork::bias_relu:
        return finish(bias_relu(forward()), y(), output_);
      case GraphWork::backward_data: {
        const TensorPointer dy = input("dy", y(), input_);
        const TensorPointer w = input("w", filters(), input_);
        return finish(graph_.conv_dgrad(dy, w, attributes<fe::graph::Conv_dgrad_attributes>()), x(),
                      output_);
      }
      case GraphWork::backward_weights: {
        const TensorPointer images = input("x", x(), input_);
        const TensorPointer dy = input("dy", y(), input_);
        return finish(graph_.conv_wgrad(dy, images, attributes<fe::graph::Conv_wgrad_attributes>()),
                      filters(), output_);
      }
      case GraphWork::bias_relu_alone:
        return finish(bias_relu(input("sums", y(), sum_)), y(), output_);
    }
  }

 private:
  TensorShape shape(std::int64_t outer, std::int64_t channels, std::int64_t rows,
                    std::int64_t columns) const {
    return tensor_shape(layout_, outer, channels, rows, columns);
  }
  TensorShape x() const { return shape(size_.n, size_.c, size_.h, size_.w); }
  TensorShape y() const { return shape(size_.n, size_.k, size_.p(), size_.q()); }
  TensorShape filters() const { return shape(size_.k, size_.group_c(), size_.r, size_.s); }

  TensorPointer input(const char* name, const TensorShape& at, fe::DataType_t type) {
    return graph_.tensor(fe::graph::Tensor_attributes()
                             .set_name(name)
                             .set_uid(next_id_++)
                             .set_dim(at.dimensions)
                             .set_stride(at.strides)
                             .set_data_type(type));
  }

  template <class Attributes>
  Attributes attributes() const {
    Attributes result;
    result.set_padding({size_.pad_h, size_.pad_w})
        .set_stride({size_.stride_h, size_.stride_w})
        .set_dilation({size_.dilation_h, size_.dilation_w})
        .set_convolution_mode(fe::ConvolutionMode_t::CROSS_CORRELATION);
    return result;
  }

  TensorPointer forward() {
    const TensorPointer images = input("x", x(), input_);
    const TensorPointer w = input("w", filters(), input_);
    const TensorPointer sums =
        graph_.conv_fprop(images, w, attributes<fe::graph::Conv_fprop_attributes>());
    sums->set_dim(y().dimensions).set_stride(y().strides);
    return sums;
  }

  TensorPointer bias_relu(const TensorPointer& sums) {
    const TensorPointer bias = input("bias", shape(1, size_.k, 1, 1), output_);
    const auto pointwise = [](fe::PointwiseMode_t mode) {
      return fe::graph::Pointwise_attributes().set_mode(mode);
    };
    const TensorPointer biased = graph_.pointwise(sums, bias, pointwise(fe::PointwiseMode_t::ADD));
    biased->set_dim(y().dimensions).set_stride(y().strides);
    return graph_.pointwise(biased, pointwise(fe::PointwiseMode_t::RELU_FWD));
  }

  void finish(const TensorPointer& result, const TensorShape& at, fe::DataType_t type) {
    result->set_output(true)
        .set_uid(next_id_++)
        .set_dim(at.dimensions)
        .set_stride(at.strides)
        .set_data_type(type);
  }

  PlannedGraph& graph_;
  const Conv2dSize size_;
  const Conv2dLayout layout_;
  const fe::DataType_t input_;
  const fe::DataType_t sum_;
  const fe::DataType_t output_;
  std::int64_t next_id_ = 1;
};

}  // namespace

ElementType sum_type(Precision precision) {
  if (precision == Precision::f64) return ElementType::f64;
  if (precision == Precision::int8) return ElementType::s32;
  return ElementType::f32;
}

TensorShape tensor_shape(Conv2dLayout layout, std::int64_t outer, std::int64_t channels,
                         std::int64_t rows, std::int64_t columns) {
  const Strides each = strides(layout, rows, columns, channels);
  return {{outer, channels, rows, columns}, {each.outer, each.channel, each.row, each.column}};
}

cudnnHandle_t cudnn_handle() {
  // Never destroyed: at exit the driver may be gone before this module.
  static const cudnnHandle_t created = [] {
    cudnnHandle_t value = nullptr;
    if (const cudnnStatus_t status = cudnnCreate(&value); status != CUDNN_STATUS_SUCCESS) {
      throw Unsupported(std::string("cuDNN can't be used: cudnnCreate gives ") +
                        cudnnGetErrorString(status));
    }
    check(cudnnSetStream(value, work_stream()));
    return value;
  }();
  return created;
}

struct CudnnGraph::Parts {
  PlannedGraph graph;
  cudnnBackendDescriptor_t plan = nullptr;  // of the bound one; graph owns it
  std::optional<fe::VariantPack> operands;
};

CudnnGraph::CudnnGraph(GraphWork work, const Conv2dSize& size, Conv2dLayout layout,
                       Precision precision)
    : parts_(std::make_unique<Parts>()) {
  Writer(parts_->graph, size, layout, precision).write(work);
  support(parts_->graph.validate());
}

CudnnGraph::~CudnnGraph() = default;
CudnnGraph::CudnnGraph(CudnnGraph&&) noexcept = default;

void CudnnGraph::submit(cudnnHandle_t handle) {
  support(parts_->graph.build_operation_graph(handle));
}

void CudnnGraph::find_plans() {
  support(parts_->graph.create_execution_plans(
      {fe::HeurMode_t::A, fe::HeurMode_t::B, fe::HeurMode_t::FALLBACK}));
}

std::size_t CudnnGraph::plans() const {
  return static_cast<std::size_t>(parts_->graph.get_execution_plan_count());
}

std::string CudnnGraph::name(std::size_t plan) const {
  std::string name;
  require(parts_->graph.get_plan_name_at_index(static_cast<std::int64_t>(plan), name));
  // What it can't read has one name for all.
  return name.starts_with("INVALID") ? name + "_" + std::to_string(plan) : name;
}

PlanNotes CudnnGraph::notes(std::size_t plan) const { return parts_->graph.notes(plan); }

std::size_t CudnnGraph::build(std::size_t plan) {
  require(parts_->graph.build_plan_at_index(static_cast<std::int64_t>(plan)));
  return parts_->graph.workspace_bytes(plan);
}

void CudnnGraph::release(std::size_t plan) { parts_->graph.release(plan); }

void CudnnGraph::bind(std::size_t plan, std::span<void* const> operands, void* workspace) {
  std::vector<void*> pointers(operands.begin(), operands.end());
  std::vector<std::int64_t> ids;
  for (std::size_t i = 0; i < pointers.size(); ++i) ids.push_back(static_cast<std::int64_t>(i) + 1);
  const auto count = static_cast<std::int64_t>(pointers.size());
  parts_->operands.reset();
  parts_->operands.emplace(fe::VariantPackBuilder()
                               .setDataPointers(count, pointers.data())
                               .setUids(count, ids.data())
                               .setWorkspacePointer(workspace)
                               .build());
  parts_->plan = parts_->graph.built(plan);
}

void CudnnGraph::launch() {
  check(cudnnBackendExecute(cudnn_handle(), parts_->plan, parts_->operands->get_raw_desc()));
}

}  // namespace breakeven::conv2d
