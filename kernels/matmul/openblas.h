// What tests and benchmarks may see of the OpenBLAS competitor beside its factory.
#pragma once

#include <cblas.h>

#include <memory>

#include "kernels/kernel.h"
#include "reference/matmul.h"

namespace breakeven {

/// "openblas.version", "openblas.config", "openblas.core" (really dispatched),
/// "openblas.core_requested" (by whom another core was asked for), "openblas.parallel",
/// "openblas.path", "openblas.warning", and the OpenMP runtime's.
Facts openblas_facts();

namespace matmul {

void openblas(Registry& registry);

/// cblas_sbgemm: bf16 x bf16 -> f32. Optional in OpenBLAS (BUILD_BFLOAT16), so it is looked up.
using Sbgemm = void (*)(CBLAS_ORDER, CBLAS_TRANSPOSE, CBLAS_TRANSPOSE, blasint m, blasint n,
                        blasint k, float alpha, const bfloat16* a, blasint lda, const bfloat16* b,
                        blasint ldb, float beta, float* c, blasint ldc);

/// The function in the OpenBLAS that is loaded, or null.
Sbgemm find_sbgemm();

/// The bf16 row: `sbgemm` into f32, then rounded to bf16 by all threads; both are timed.
std::unique_ptr<Kernel> load_sbgemm(const Matmul& size, const Options& options, Sbgemm sbgemm);

}  // namespace matmul
}  // namespace breakeven
