// oneDNN's matmul primitive, twice. `onednn` takes and returns plain row-major matrices, as an op
// in a program without a compiler would. `onednn_packed` lets oneDNN choose the layout of B, the
// weights, and reorders them once in prepare(): what an inference engine does; A and C stay plain.
// Bound by the FMA or tile units at 1024^3; reduced precisions by bringing operands to the tiles.
#include "kernels/matmul/onednn.h"

#include <array>
#include <mutex>
#include <oneapi/dnnl/dnnl.hpp>
#include <optional>
#include <source_location>
#include <stdexcept>
#include <string>

#include "kernels/host/host_kernel.h"
#include "kernels/host/libraries.h"
#include "reference/matmul.h"

namespace breakeven {
namespace matmul {
namespace {

using dnnl::memory;
using Primitive = dnnl::matmul::primitive_desc;

void check(dnnl_status_t status, std::source_location where = std::source_location::current()) {
  if (status == dnnl_success) return;
  throw std::runtime_error("oneDNN status " + std::to_string(status) + " at " + where.file_name() +
                           ":" + std::to_string(where.line()));
}

const dnnl::engine& engine() {
  static const dnnl::engine cpu(dnnl::engine::kind::cpu, 0);
  return cpu;
}

memory::data_type data_type(ElementType type) {
  switch (type) {
    case ElementType::f32:
      return memory::data_type::f32;
    case ElementType::bf16:
      return memory::data_type::bf16;
    case ElementType::f16:
      return memory::data_type::f16;
    case ElementType::s8:
      return memory::data_type::s8;
    case ElementType::s32:
      return memory::data_type::s32;
    default:
      throw Unsupported("oneDNN's matmul has no such element type");
  }
}

// op(X)[rows, columns] of a stored row-major X: a transpose is a pair of strides.
memory::desc plain(std::int64_t rows, std::int64_t columns, bool transposed, ElementType type) {
  const memory::dims strides = transposed ? memory::dims{1, rows} : memory::dims{columns, 1};
  return {{rows, columns}, data_type(type), strides};
}

struct Descriptors {
  Descriptors(const Matmul& size, Precision precision)
      : a(plain(size.m, size.k, size.trans_a, traits(precision).input)),
        b(plain(size.k, size.n, size.trans_b, traits(precision).input)),
        c(plain(size.m, size.n, false, traits(precision).output)),
        any_b({size.k, size.n}, data_type(traits(precision).input), memory::format_tag::any) {}
  memory::desc a, b, c, any_b;
};

// Strict arithmetic: f32 is never computed in bf16 or tf32. The scratchpad is ours, so that run()
// allocates nothing. Empty where oneDNN has no implementation.
Primitive describe(const Descriptors& d, bool packed) {
  dnnl::primitive_attr attributes;
  attributes.set_fpmath_mode(dnnl::fpmath_mode::strict);
  attributes.set_scratchpad_mode(dnnl::scratchpad_mode::user);
  return {engine(), d.a, packed ? d.any_b : d.b, d.c, attributes, /*allow_empty=*/true};
}

// oneDNN's reference loops count as absent: they are thousands of times slower and not what anyone
// would call oneDNN.
bool is_reference(const Primitive& primitive) {
  return std::string(primitive.impl_info_str()).starts_with("ref");
}

class Onednn final : public HostKernel {
 public:
  Onednn(const Matmul& size, Precision precision, bool packed)
      : HostKernel(size, precision), descriptors_(size, precision), packed_(packed) {}

  void prepare() override {
    primitive_desc_ = describe(descriptors_, packed_);
    if (!primitive_desc_ || is_reference(primitive_desc_)) {
      throw Unsupported("oneDNN has no optimised implementation for this shape");
    }
    primitive_ = dnnl::matmul(primitive_desc_);
    stream_ = dnnl::stream(engine());
    b_ = memory(descriptors_.b, engine(), input(1).data());
    if (packed_) pack();
    a_ = memory(descriptors_.a, engine(), input(0).data());
    c_ = memory(descriptors_.c, engine(), result().data());
    scratchpad_ = HostBuffer(primitive_desc_.scratchpad_desc().get_size());
    poison(scratchpad_.span());
    scratch_ = memory(primitive_desc_.scratchpad_desc(), engine(), scratchpad_.data());
    arguments_ = {{{DNNL_ARG_SRC, a_.get()},
                   {DNNL_ARG_WEIGHTS, b_.get()},
                   {DNNL_ARG_DST, c_.get()},
                   {DNNL_ARG_SCRATCHPAD, scratch_.get()}}};
  }

  // The C call: the C++ one takes a hash map and copies it into a new array each time.
  void run() override {
    check(dnnl_primitive_execute(primitive_.get(), stream_.get(),
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
    memory packed(layout, engine(), weights_.data());
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

std::string version() {
  const dnnl_version_t* v = dnnl_version();
  return std::to_string(v->major) + "." + std::to_string(v->minor) + "." + std::to_string(v->patch);
}

const char* isa() {
  switch (dnnl_get_effective_cpu_isa()) {
    case dnnl_cpu_isa_sse41:
      return "SSE4.1";
    case dnnl_cpu_isa_avx:
      return "AVX";
    case dnnl_cpu_isa_avx2:
      return "AVX2";
    case dnnl_cpu_isa_avx2_vnni:
      return "AVX2 VNNI";
    case dnnl_cpu_isa_avx2_vnni_2:
      return "AVX2 VNNI-2";
    case dnnl_cpu_isa_avx512_core:
      return "AVX-512";
    case dnnl_cpu_isa_avx512_core_vnni:
      return "AVX-512 VNNI";
    case dnnl_cpu_isa_avx512_core_bf16:
      return "AVX-512 BF16";
    case dnnl_cpu_isa_avx512_core_fp16:
      return "AVX-512 FP16";
    case dnnl_cpu_isa_avx512_core_amx:
      return "AVX-512 AMX";
    case dnnl_cpu_isa_avx512_core_amx_fp16:
      return "AVX-512 AMX FP16";
    default:
      return "an ISA below SSE4.1 or unknown to this build";
  }
}

// Asks for a small product once per precision.
std::string probe(Precision precision) {
  const Matmul small("probe", 64, 64, 64);
  const Primitive found = describe(Descriptors(small, precision), false);
  if (found && !is_reference(found)) return "";
  return "oneDNN " + version() + " has no optimised " + std::string(traits(precision).name) +
         " matmul for " + isa();
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
  facts["onednn.version"] = matmul::version();
  facts["onednn.isa"] = matmul::isa();
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
