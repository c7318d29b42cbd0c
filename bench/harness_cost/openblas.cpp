// harness-cost-openblas: cblas_sgemm. The library is the one that the module loaded, so it is asked
// for its function instead of being linked: a program that links OpenBLAS can't choose its core.
#include <cblas.h>
#include <dlfcn.h>

#include <chrono>
#include <memory>

#include "bench/harness_cost/harness_cost.h"
#include "reference/matmul.h"

namespace breakeven {
namespace {

using Sgemm = decltype(&cblas_sgemm);

Sgemm find_sgemm(const Module& module) {
  const std::string path = module.facts.at("openblas.path");
  void* library = dlopen(path.c_str(), RTLD_NOW | RTLD_NOLOAD);
  void* function = library ? dlsym(library, "cblas_sgemm") : nullptr;
  if (!function) throw Unsupported("no cblas_sgemm in " + path);
  return reinterpret_cast<Sgemm>(function);
}

BareLoop make_loop(Sgemm sgemm, const Matmul& size, Memory memory) {
  const auto operands = std::make_shared<BareOperands>(size, Precision::f32, memory);
  const auto n = static_cast<blasint>(size.n);
  const auto seconds = [sgemm, n, operands](std::int64_t calls) {
    const auto* a = static_cast<const float*>(operands->inputs[0].data());
    const auto* b = static_cast<const float*>(operands->inputs[1].data());
    auto* c = static_cast<float*>(operands->output.data());
    const auto start = std::chrono::steady_clock::now();
    for (std::int64_t i = 0; i < calls; ++i) {
      sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, n, n, n, 1, a, n, b, n, 0, c, n);
    }
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  };
  return {seconds};
}

std::vector<Subject> subjects(const Module& module) {
  const Sgemm sgemm = find_sgemm(module);
  return {{"openblas", Precision::f32, [sgemm](const Workload& workload, Memory memory) {
             return make_loop(sgemm, static_cast<const Matmul&>(workload), memory);
           }}};
}

}  // namespace
}  // namespace breakeven

int main(int argc, char** argv) {
  return breakeven::harness_cost_main(argc, argv,
                                      breakeven::matmul_study("openblas", breakeven::subjects));
}
