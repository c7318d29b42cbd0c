// A product of a training step as a oneDNN primitive over plain tensors, with the reorders that its
// layouts need, and the choice among the ways that oneDNN has for it.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <map>
#include <mutex>
#include <numeric>
#include <oneapi/dnnl/dnnl.hpp>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "kernels/conv2d/fastest_way.h"
#include "kernels/host/buffer.h"
#include "kernels/host/onednn.h"
#include "kernels/training/host_pointwise.h"

namespace breakeven::training {

using dnnl::memory;

/// Places of a product's tensors. Backward passes name them as the forward one does: y is dy where
/// x or w is what they compute.
enum class Role : std::size_t { x, w, bias, y, residual, scale, shift };
inline constexpr std::size_t kRoles = 7;

/// Where each of them begins in memory; null where a product hasn't got it.
struct ProductTensors {
  void*& operator[](Role role) { return data[static_cast<std::size_t>(role)]; }
  void* operator[](Role role) const { return data[static_cast<std::size_t>(role)]; }
  void* data[kRoles] = {};
};

struct ProductOperand {
  int argument;  ///< DNNL_ARG_...
  Role role;
  memory::desc plain;  ///< as the graph stores it
  bool output = false;
};

/// One way of doing a product.
struct ProductWay {
  dnnl::primitive_desc description;
  std::vector<ProductOperand> operands;

  /// Where the primitive leaves the bias's gradient, the sums of dy's columns, to the host's loop.
  std::optional<MatrixSize> column_sums = {};
  bool bf16 = false;  ///< of dy's elements

  memory::desc layout(const ProductOperand& operand) const {
    return description.query_md(dnnl::query::exec_arg_md, operand.argument);
  }
};

/// Bytes from one piece of scratch to the next one.
inline std::size_t scratch_piece(std::size_t bytes) {
  return (bytes + kCacheLineBytes - 1) / kCacheLineBytes * kCacheLineBytes;
}

/// Scratch of a way: copies in oneDNN's layouts, the primitive's own, the threads' sums of columns.
inline std::size_t scratch_bytes(const ProductWay& way) {
  std::size_t bytes = scratch_piece(way.description.scratchpad_desc().get_size());
  for (const ProductOperand& operand : way.operands) {
    const memory::desc layout = way.layout(operand);
    if (layout != operand.plain) bytes += scratch_piece(layout.get_size());
  }
  if (way.column_sums) {
    const std::int64_t floats = column_scratch(way.column_sums->cols, omp_get_max_threads());
    bytes += scratch_piece(static_cast<std::size_t>(floats) * sizeof(float));
  }
  return bytes;
}

/// Made for as many threads as OpenMP has then.
class OnednnProduct {
 public:
  /// The tensors must outlive it.
  OnednnProduct(const ProductWay& way, const ProductTensors& tensors)
      : stream_(onednn_engine()),
        column_sums_(way.column_sums),
        bf16_(way.bf16),
        dy_(tensors[Role::y]),
        db_(tensors[Role::bias]) {
    std::vector<Step> after;
    std::vector<dnnl_exec_arg_t> arguments;
    for (const ProductOperand& operand : way.operands) {
      const memory plain = keep(memory(operand.plain, onednn_engine(), tensors[operand.role]));
      const memory::desc layout = way.layout(operand);
      memory own = plain;
      if (layout != operand.plain) {
        own = in_scratch(layout);
        if (operand.output) {
          after.push_back(reorder(own, plain));
        } else {
          steps_.push_back(reorder(plain, own));
        }
      }
      arguments.push_back({operand.argument, own.get()});
    }
    steps_.push_back(step(dnnl::primitive(way.description), way.description.scratchpad_desc(),
                          std::move(arguments)));
    steps_.insert(steps_.end(), after.begin(), after.end());
    sums_offset_ = scratch_bytes_;
    if (column_sums_) {
      const std::int64_t floats = column_scratch(column_sums_->cols, omp_get_max_threads());
      scratch_bytes_ += scratch_piece(static_cast<std::size_t>(floats) * sizeof(float));
    }
  }

  std::size_t scratch_bytes() const { return scratch_bytes_; }

  /// `scratch`: aligned to cache lines. Nothing in it is kept from call to call.
  void run(std::byte* scratch) {
    if (scratch != bound_) bind(scratch);
    // The C call: the C++ one takes a hash map and copies it into a new array each time.
    for (const Step& one : steps_) {
      check_onednn(dnnl_primitive_execute(one.primitive.get(), stream_.get(),
                                          static_cast<int>(one.arguments.size()),
                                          one.arguments.data()));
    }
    if (!column_sums_) return;
    auto* sums = reinterpret_cast<float*>(scratch + sums_offset_);
    if (bf16_) {
      training::column_sums(*column_sums_, static_cast<const Bf16*>(dy_), static_cast<float*>(db_),
                            sums);
    } else {
      training::column_sums(*column_sums_, static_cast<const float*>(dy_), static_cast<float*>(db_),
                            sums);
    }
  }

 private:
  // A primitive with its operands, which are bare handles: memories_ keeps them alive.
  struct Step {
    dnnl::primitive primitive;
    std::vector<dnnl_exec_arg_t> arguments;
  };
  struct InScratch {
    memory operand;
    std::size_t offset;
  };

  memory keep(memory operand) {
    memories_.push_back(operand);
    return operand;
  }

  memory in_scratch(const memory::desc& layout) {
    memory operand = keep(memory(layout, onednn_engine(), nullptr));
    in_scratch_.push_back({operand, scratch_bytes_});
    scratch_bytes_ += scratch_piece(layout.get_size());
    return operand;
  }

  Step step(dnnl::primitive primitive, const memory::desc& scratchpad,
            std::vector<dnnl_exec_arg_t> arguments) {
    arguments.push_back({DNNL_ARG_SCRATCHPAD, in_scratch(scratchpad).get()});
    return {std::move(primitive), std::move(arguments)};
  }

  Step reorder(const memory& from, const memory& to) {
    const dnnl::reorder::primitive_desc description(from, to, onednn_attributes());
    return step(dnnl::reorder(description), description.scratchpad_desc(),
                {{DNNL_ARG_FROM, from.get()}, {DNNL_ARG_TO, to.get()}});
  }

  void bind(std::byte* scratch) {
    for (const InScratch& one : in_scratch_) {
      check_onednn(dnnl_memory_set_data_handle(one.operand.get(), scratch + one.offset));
    }
    bound_ = scratch;
  }

  dnnl::stream stream_;
  std::vector<memory> memories_;
  std::vector<InScratch> in_scratch_;
  std::vector<Step> steps_;
  std::size_t scratch_bytes_ = 0;
  std::byte* bound_ = nullptr;
  std::optional<MatrixSize> column_sums_;
  bool bf16_;
  const void* dy_;
  void* db_;
  std::size_t sums_offset_ = 0;
};

/// Bytes of each tensor that a way takes, by role.
inline std::array<std::size_t, kRoles> tensor_bytes(const ProductWay& way) {
  std::array<std::size_t, kRoles> bytes{};
  for (const ProductOperand& operand : way.operands) {
    bytes[static_cast<std::size_t>(operand.role)] = scratch_piece(operand.plain.get_size());
  }
  if (way.column_sums) {
    bytes[static_cast<std::size_t>(Role::bias)] =
        scratch_piece(static_cast<std::size_t>(way.column_sums->cols) * sizeof(float));
  }
  return bytes;
}

namespace detail {

// All ways over the same tensors, of 0x3C bytes: small numbers in f32 and bf16.
class TimedWays {
 public:
  explicit TimedWays(const std::vector<ProductWay>& ways) {
    std::array<std::size_t, kRoles> most{};
    for (const ProductWay& way : ways) {
      const auto bytes = tensor_bytes(way);
      for (std::size_t i = 0; i < kRoles; ++i) most[i] = std::max(most[i], bytes[i]);
    }
    ProductTensors tensors;
    for (std::size_t i = 0; i < kRoles; ++i) tensors.data[i] = filled(most[i]);
    std::size_t scratch = 0;
    for (const ProductWay& way : ways) {
      products_.emplace_back(way, tensors);
      scratch = std::max(scratch, products_.back().scratch_bytes());
    }
    scratch_ = filled(scratch);
  }

  void run(std::size_t i) { products_[i].run(scratch_); }

 private:
  std::byte* filled(std::size_t bytes) {
    buffers_.emplace_back(std::max(bytes, kCacheLineBytes));
    std::memset(buffers_.back().data(), 0x3C, buffers_.back().bytes());
    return buffers_.back().data();
  }

  std::vector<HostBuffer> buffers_;
  std::vector<OnednnProduct> products_;
  std::byte* scratch_ = nullptr;
};

}  // namespace detail

/// Bytes that a product with these ways needs beside its tensors: while its ways are timed, and in
/// a program, whose products share their scratch.
inline std::size_t product_bytes(const std::vector<ProductWay>& ways) {
  std::size_t tensors = 0;
  std::size_t scratch = 0;
  for (const ProductWay& way : ways) {
    const auto bytes = tensor_bytes(way);
    tensors = std::max(tensors, std::accumulate(bytes.begin(), bytes.end(), std::size_t{0}));
    scratch = std::max(scratch, scratch_bytes(way));
  }
  return tensors + 2 * scratch;
}

/// The index of the fastest way, timed once per process, number of threads and `name`, which says
/// all that the ways depend on: programs of one model then round alike.
inline std::size_t fastest_product(const std::string& name, const std::vector<ProductWay>& ways) {
  static std::mutex mutex;
  static std::map<std::pair<std::string, int>, std::size_t> found;
  const std::scoped_lock lock(mutex);
  const std::pair key(name, omp_get_max_threads());
  if (const auto known = found.find(key); known != found.end()) return known->second;
  std::size_t fastest = 0;
  if (ways.size() > 1) {
    detail::TimedWays timed(ways);
    fastest = conv2d::fastest_way(ways.size(), [&](std::size_t i) { timed.run(i); });
  }
  return found[key] = fastest;
}

}  // namespace breakeven::training
