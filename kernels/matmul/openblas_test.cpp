#include "kernels/matmul/openblas.h"

#include <gtest/gtest.h>

#include <filesystem>

#include "kernels/host/features.h"
#include "kernels/host/kernel_check.h"
#include "kernels/matmul/awkward_shapes.h"
#include "reference/convert.h"

namespace breakeven::matmul {
namespace {

TEST(Openblas, IsRight) {
  Registry registry;
  openblas(registry);
  const Implementation& openblas = find_implementation(registry, "openblas");
  const int all = static_cast<int>(usable_cpus().size());
  for (const auto& shape : awkward_shapes()) {
    for (const Precision precision : openblas.precisions) {
      const bool bf16 = precision == Precision::bf16;
      if (bf16 && !find_sbgemm()) continue;
      for (const int threads : {1, all}) expect_kernel(openblas, *shape, precision, threads);
    }
  }
}

TEST(Openblas, IsRightWhereItUsesItsThreads) {
  Registry registry;
  openblas(registry);
  const Matmul big("s", 301, 401, 503);
  expect_kernel(find_implementation(registry, "openblas"), big, Precision::f32,
                static_cast<int>(usable_cpus().size()));
}

// Its threaded driver takes a job table from the heap in each call and gives it back.
TEST(Openblas, KeepsNoMemory) {
  Registry registry;
  openblas(registry);
  expect_no_allocation(find_implementation(registry, "openblas"), Matmul("s", 65, 130, 70),
                       Precision::f32, Allocates::inside_the_library);
}

TEST(Openblas, SaysWhyItHasNoBf16) {
  Registry registry;
  openblas(registry);
  const Implementation& openblas = find_implementation(registry, "openblas");
  const std::string reason = openblas.unsupported(Matmul("s", 8, 8, 8), Precision::bf16, {});
  EXPECT_EQ(reason.empty(), find_sbgemm() != nullptr);
  if (!reason.empty()) {
    EXPECT_NE(reason.find("cblas_sbgemm"), std::string::npos);
    EXPECT_THROW(openblas.load(Matmul("s", 8, 8, 8), Precision::bf16, {.threads = 1}), Unsupported);
  }
}

TEST(Openblas, RefusesDimensionsBeyondItsIntegers) {
  if (sizeof(blasint) > 4) GTEST_SKIP() << "64-bit interface";
  Registry registry;
  openblas(registry);
  const Matmul huge("s", 1, std::int64_t{1} << 31, 1);
  EXPECT_NE(find_implementation(registry, "openblas").unsupported(huge, Precision::f32, {}), "");
}

// Stands for cblas_sbgemm where the installed OpenBLAS has none: same contract, no speed.
void plain_sbgemm(CBLAS_ORDER, CBLAS_TRANSPOSE op_a, CBLAS_TRANSPOSE op_b, blasint m, blasint n,
                  blasint k, float, const bfloat16* a, blasint lda, const bfloat16* b, blasint ldb,
                  float, float* c, blasint ldc) {
  for (blasint i = 0; i < m; ++i) {
    for (blasint j = 0; j < n; ++j) {
      float sum = 0;
      for (blasint p = 0; p < k; ++p) {
        sum += bf16_to_float(op_a == CblasTrans ? a[p * lda + i] : a[i * lda + p]) *
               bf16_to_float(op_b == CblasTrans ? b[j * ldb + p] : b[p * ldb + j]);
      }
      c[i * ldc + j] = sum;
    }
  }
}

TEST(Openblas, RoundsTheSumsOfItsBf16Product) {
  for (const auto& shape : awkward_shapes()) {
    const auto kernel = load_sbgemm(*shape, {.threads = 1}, plain_sbgemm);
    kernel->run();
    const Check check = shape->check(Precision::bf16, kernel->output());
    EXPECT_TRUE(check.ok()) << shape->shape() << ": " << check.error << " > " << check.limit;
  }
}

TEST(OpenblasFacts, NameTheLibraryThatIsReallyLoaded) {
  const Facts facts = openblas_facts();
  EXPECT_TRUE(std::filesystem::exists(facts.at("openblas.path")));
  EXPECT_EQ(facts.at("openblas.version").find_first_not_of("0123456789."), std::string::npos);
  EXPECT_NE(facts.at("openblas.core"), "");
  EXPECT_NE(facts.at("openmp.path"), "");
  if (facts.at("openblas.parallel") != "openmp") {
    EXPECT_EQ(facts.count("openblas.warning"), 1u);
  }
  if (facts.at("openblas.core") == "Haswell" && cpu_features().avx512) {
    EXPECT_NE(facts.at("openblas.warning").find("AVX-512"), std::string::npos);
  }
}

}  // namespace
}  // namespace breakeven::matmul
