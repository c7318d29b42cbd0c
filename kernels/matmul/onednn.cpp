// oneDNN's matmul primitive, twice. `onednn` takes and returns plain row-major matrices, as an op
// in a program without a compiler would. `onednn_packed` lets oneDNN choose the layout of B, the
// weights, and reorders them once in prepare(): what an inference engine does; A and C stay plain.
// Bound by the FMA or tile units at 1024^3; reduced precisions by bringing operands to the tiles.
#include "kernels/matmul/onednn.h"

#include <array>
#include <mutex>
#include <oneapi/dnnl/dnnl.hpp>
#include <optional>
#include <string>

#include "kernels/host/host_kernel.h"
#include "kernels/host/libraries.h"
#include "kernels/host/onednn.h"
#include "reference/matmul.h"

namespace breakeven {
namespace matmul {
namespace {

using dnnl::memory;
using Primitive = dnnl::matmul::primitive_desc;

// op(X)[rows, columns] of a stored row-major X: a transpose is a pair of strides.
memory::desc plain(std::int64_t rows, std::int64_t columns, bool transposed, ElementType type) {
  const memory::dims strides = transposed ? memory::dims{1, rows} : memory::dims{columns, 1};
  return {{rows, columns}, onednn_type(type), strides};
}

struct Descriptors {
  Descriptors(const Matmul& size, Precision precision)
      : a(plain(size.m, size.k, size.trans_a, traits(precision).input)),
        b(plain(size.k, size.n, size.trans_b, traits(precision).input)),
        c(plain(size.m, size.n, false, traits(precision).output)),
        any_b({size.k, size.n}, onednn_type(traits(precision).input), memory::format_tag::any) {}
  memory::desc a, b, c, any_b;
};

// Empty where oneDNN has no implementation.
Primitive describe(const Descriptors& d, bool packed) {
  return {onednn_engine(),     d.a, packed ? d.any_b : d.b, d.c, onednn_attributes(),
          /*allow_empty=*/true};
}

class Onednn final : public HostKernel {
 public:
  Onednn(const Matmul& size, Precision precision, bool packed)
      : HostKernel(size, precision), descriptors_(size, precision), packed_(packed) {}

  void prepare() override {
    primitive_desc_ = describe(descriptors_, packed_);
    if (!onednn_optimised(primitive_desc_)) {
      throw Unsupported("oneDNN has no optimised implementation for this shape");
    }
    primitive_ = dnnl::matmul(primitive_desc_);
    stream_ = dnnl::stream(onednn_engine());
    b_ = memory(descriptors_.b, onednn_engine(), input(1).data());
    if (packed_) pack();
    a_ = memory(descriptors_.a, onednn_engine(), input(0).data());
    c_ = memory(descriptors_.c, onednn_engine(), result().data());
    scratchpad_ = HostBuffer(primitive_desc_.scratchpad_desc().get_size());
    poison(scratchpad_.span());
    scratch_ = memory(primitive_desc_.scratchpad_desc(), onednn_engine(), scratchpad_.data());
    arguments_ = {{{DNNL_ARG_SRC, a_.get()},
                   {DNNL_ARG_WEIGHTS, b_.get()},
                   {DNNL_ARG_DST, c_.get()},
                   {DNNL_ARG_SCRATCHPAD, scratch_.get()}}};
  }

  // The C call: the C++ one takes a hash map and copies it into a new array each time.
  void run() override {
    check_onednn(dnnl_primitive_execute(primitive_.get(), stream_.get(),
                                        static_cast<int>(arguments_.size()), arguments_.data()));
  }

  Facts facts() const override {
    if (!primitive_desc_) return {};
    return {{"implementation", primitive_desc_.impl_info_str()},
            {"weights", packed_ ? "packed by oneDNN" : "plain"}};
  }

 private:
  void pack() {
    const memory::desc layout = primitive_desc_.weights_desc();
    weights_ = HostBuffer(layout.get_size());
    poison(weights_.span());
    memory packed(layout, onednn_engine(), weights_.data());
    dnnl::reorder(b_, packed).execute(stream_, b_, packed);
    stream_.wait();
    b_ = packed;
  }

  Descriptors descriptors_;
  bool packed_;
  HostBuffer weights_, scratchpad_;
  Primitive primitive_desc_;
  dnnl::matmul primitive_;
  dnnl::stream stream_;
  memory a_, b_, c_, scratch_;
  std::array<dnnl_exec_arg_t, 4> arguments_{};
};

// Asks for a small product once per precision.
std::string probe(Precision precision) {
  const Matmul small("probe", 64, 64, 64);
  const Primitive found = describe(Descriptors(small, precision), false);
  if (onednn_optimised(found)) return "";
  return "oneDNN " + onednn_version() + " has no optimised " + std::string(traits(precision).name) +
         " matmul for " + onednn_isa();
}

std::string unsupported(const Workload&, Precision precision, const Options&) {
  static std::mutex mutex;
  static std::array<std::optional<std::string>, kPrecisions.size()> reasons;
  const std::scoped_lock lock(mutex);
  auto& reason = reasons[static_cast<std::size_t>(precision)];
  if (!reason) reason = probe(precision);
  return *reason;
}

// Packed weights are a second B; blocks are padded to 64 columns at most.
std::size_t packed_footprint_bytes(const Workload& workload, Precision precision, const Options&) {
  const auto& size = static_cast<const Matmul&>(workload);
  const std::size_t element = element_bytes(traits(precision).input);
  const auto padded = static_cast<std::size_t>((size.k + 63) / 64 * 64 * ((size.n + 63) / 64 * 64));
  return operand_bytes(workload, precision) + padded * element;
}

}  // namespace

void onednn(Registry& registry) {
  for (const bool packed : {false, true}) {
    Implementation onednn;
    onednn.op = "matmul";
    onednn.name = packed ? "onednn_packed" : "onednn";
    onednn.precisions = {Precision::f32, Precision::bf16, Precision::f16, Precision::int8};
    onednn.unsupported = unsupported;
    if (packed) onednn.footprint_bytes = packed_footprint_bytes;
    onednn.load = [packed](const Workload& workload, Precision precision, const Options&) {
      return std::make_unique<Onednn>(static_cast<const Matmul&>(workload), precision, packed);
    };
    registry.add(std::move(onednn));
  }
}

}  // namespace matmul

Facts onednn_facts() {
  Facts facts = openmp_facts();
  facts["onednn.version"] = onednn_version();
  facts["onednn.isa"] = onednn_isa();
  facts["onednn.path"] = library_path(reinterpret_cast<const void*>(&dnnl_version));
  const unsigned runtime = dnnl_version()->cpu_runtime;
  facts["onednn.runtime"] = runtime == DNNL_RUNTIME_OMP   ? "openmp"
                            : runtime == DNNL_RUNTIME_TBB ? "tbb"
                            : runtime == DNNL_RUNTIME_SEQ ? "sequential"
                                                          : "other";
  if (runtime != DNNL_RUNTIME_OMP) {
    facts["onednn.warning"] = "oneDNN at " + facts["onednn.path"] + " runs on " +
                              facts["onednn.runtime"] +
                              ", not on OpenMP, so its threads are neither counted nor pinned: "
                              "install the wheel onednn-cpu-gomp";
  }
  return facts;
}

}  // namespace breakeven
