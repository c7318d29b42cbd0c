// harness-cost-onednn: the matmul primitive in plain layouts and with packed weights, written as
// its documentation shows it.
#include <chrono>
#include <memory>
#include <oneapi/dnnl/dnnl.hpp>
#include <unordered_map>

#include "bench/harness_cost/harness_cost.h"
#include "reference/matmul.h"

namespace breakeven {
namespace {

using dnnl::memory;

struct BareMatmul {
  BareMatmul(const Matmul& size, Precision precision, Memory where, bool packed)
      : operands(size, precision, where) {
    const auto type =
        precision == Precision::f32 ? memory::data_type::f32 : memory::data_type::bf16;
    using tag = memory::format_tag;
    const memory::desc a({size.m, size.k}, type, tag::ab), b({size.k, size.n}, type, tag::ab),
        c({size.m, size.n}, type, tag::ab), any({size.k, size.n}, type, tag::any);
    const dnnl::matmul::primitive_desc description(engine, a, packed ? any : b, c);
    matmul = dnnl::matmul(description);
    memory weights(b, engine, operands.inputs[1].data());
    if (packed) {
      memory reordered = where == Memory::plain
                             ? memory(description.weights_desc(), engine)
                             : memory(description.weights_desc(), engine, huge(description));
      dnnl::reorder(weights, reordered).execute(stream, weights, reordered);
      stream.wait();
      weights = reordered;
    }
    arguments = {{DNNL_ARG_SRC, memory(a, engine, operands.inputs[0].data())},
                 {DNNL_ARG_WEIGHTS, weights},
                 {DNNL_ARG_DST, memory(c, engine, operands.output.data())}};
  }

  void* huge(const dnnl::matmul::primitive_desc& description) {
    packed_weights = HostBuffer(description.weights_desc().get_size());
    poison(packed_weights.span());
    return packed_weights.data();
  }

  double seconds(std::int64_t calls) {
    const auto start = std::chrono::steady_clock::now();
    for (std::int64_t i = 0; i < calls; ++i) matmul.execute(stream, arguments);
    stream.wait();
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  }

  BareOperands operands;
  HostBuffer packed_weights;
  dnnl::engine engine{dnnl::engine::kind::cpu, 0};
  dnnl::stream stream{engine};
  dnnl::matmul matmul;
  std::unordered_map<int, memory> arguments;
};

std::vector<Subject> subjects(const Module&) {
  std::vector<Subject> all;
  for (const Precision precision : {Precision::f32, Precision::bf16}) {
    for (const bool packed : {false, true}) {
      all.push_back({packed ? "onednn_packed" : "onednn", precision,
                     [precision, packed](const Workload& workload, Memory where) -> BareLoop {
                       const auto& size = static_cast<const Matmul&>(workload);
                       const auto bare =
                           std::make_shared<BareMatmul>(size, precision, where, packed);
                       return {[bare](std::int64_t calls) { return bare->seconds(calls); }};
                     }});
    }
  }
  return all;
}

}  // namespace
}  // namespace breakeven

int main(int argc, char** argv) {
  return breakeven::harness_cost_main(argc, argv,
                                      breakeven::matmul_study("onednn", breakeven::subjects));
}
