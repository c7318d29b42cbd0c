// OpenBLAS, called as every program calls it: plain row-major operands, cblas_?gemm. Bound by the
// FMA units from about 512^3 on, where the AVX-512 kernel reaches 70 to 80 % of the measured peak.
#include "kernels/matmul/openblas.h"

#include <dlfcn.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdlib>
#include <limits>
#include <stdexcept>
#include <string>
#include <string_view>

#include "kernels/host/blas_environment.h"
#include "kernels/host/features.h"
#include "kernels/host/host_kernel.h"
#include "kernels/host/libraries.h"
#include "kernels/host/openblas.h"
#include "reference/convert.h"

namespace breakeven {
namespace matmul {
namespace {

// A size as cblas wants it. Row-major leading dimensions are the lengths of the stored rows.
struct Gemm {
  explicit Gemm(const Matmul& size)
      : m(static_cast<blasint>(size.m)),
        n(static_cast<blasint>(size.n)),
        k(static_cast<blasint>(size.k)),
        op_a(size.trans_a ? CblasTrans : CblasNoTrans),
        op_b(size.trans_b ? CblasTrans : CblasNoTrans),
        lda(size.trans_a ? m : k),
        ldb(size.trans_b ? k : n) {}
  blasint m, n, k;
  CBLAS_TRANSPOSE op_a, op_b;
  blasint lda, ldb;
};

void gemm(const Gemm& g, const float* a, const float* b, float* c) {
  cblas_sgemm(CblasRowMajor, g.op_a, g.op_b, g.m, g.n, g.k, 1, a, g.lda, b, g.ldb, 0, c, g.n);
}

void gemm(const Gemm& g, const double* a, const double* b, double* c) {
  cblas_dgemm(CblasRowMajor, g.op_a, g.op_b, g.m, g.n, g.k, 1, a, g.lda, b, g.ldb, 0, c, g.n);
}

template <class T>
class Openblas final : public HostKernel {
 public:
  Openblas(const Matmul& size, Precision precision, const Options& options)
      : HostKernel(size, precision), gemm_(size) {
    set_openblas_threads(options.threads);
  }

  void run() override {
    gemm(gemm_, input(0).template as<T>(), input(1).template as<T>(), result().template as<T>());
  }

 private:
  Gemm gemm_;
};

class OpenblasBf16 final : public HostKernel {
 public:
  OpenblasBf16(const Matmul& size, const Options& options, Sbgemm sbgemm)
      : HostKernel(size, Precision::bf16),
        gemm_(size),
        sbgemm_(sbgemm),
        sums_(static_cast<std::size_t>(size.m * size.n) * sizeof(float)) {
    set_openblas_threads(options.threads);
    poison(sums_.span());
  }

  void run() override {
    const Gemm& g = gemm_;
    float* sums = sums_.as<float>();
    sbgemm_(CblasRowMajor, g.op_a, g.op_b, g.m, g.n, g.k, 1, input(0).as<bfloat16>(), g.lda,
            input(1).as<bfloat16>(), g.ldb, 0, sums, g.n);
    auto* c = result().as<std::uint16_t>();
    const std::int64_t elements = std::int64_t{g.m} * g.n;
#pragma omp parallel for simd schedule(static)
    for (std::int64_t i = 0; i < elements; ++i) c[i] = bf16_from_float(sums[i]);
  }

 private:
  Gemm gemm_;
  Sbgemm sbgemm_;
  HostBuffer sums_;
};

std::string unsupported(const Workload& workload, Precision precision, const Options&) {
  const auto& size = static_cast<const Matmul&>(workload);
  constexpr std::int64_t kLargest = std::numeric_limits<blasint>::max();
  if (size.m > kLargest || size.n > kLargest || size.k > kLargest) {
    return "this OpenBLAS takes dimensions up to " + std::to_string(kLargest);
  }
  if (precision == Precision::bf16 && !find_sbgemm()) {
    return "this OpenBLAS was built without bf16 (it exports no cblas_sbgemm)";
  }
  return "";
}

}  // namespace

Sbgemm find_sbgemm() {
  static const auto found = reinterpret_cast<Sbgemm>([] {
    // Of the very library that holds cblas_sgemm: the module was opened with RTLD_LOCAL, so the
    // global scope may have another one.
    Dl_info info;
    void* address = nullptr;
    if (dladdr(reinterpret_cast<const void*>(&openblas_get_config), &info) != 0) {
      if (void* library = dlopen(info.dli_fname, RTLD_LAZY | RTLD_NOLOAD)) {
        address = dlsym(library, "cblas_sbgemm");
        dlclose(library);
      }
    }
    return address;
  }());
  return found;
}

std::unique_ptr<Kernel> load_sbgemm(const Matmul& size, const Options& options, Sbgemm sbgemm) {
  return std::make_unique<OpenblasBf16>(size, options, sbgemm);
}

void openblas(Registry& registry) {
  Implementation openblas;
  openblas.op = "matmul";
  openblas.name = "openblas";
  openblas.precisions = {Precision::f64, Precision::f32, Precision::bf16};
  openblas.unsupported = unsupported;
  openblas.footprint_bytes = [](const Workload& workload, Precision precision, const Options&) {
    // bf16 sums in f32 first.
    const std::size_t result = workload.output(precision).bytes();
    return operand_bytes(workload, precision) + (precision == Precision::bf16 ? 2 * result : 0);
  };
  openblas.load = [](const Workload& workload, Precision precision,
                     const Options& options) -> std::unique_ptr<Kernel> {
    const auto& size = static_cast<const Matmul&>(workload);
    if (precision == Precision::f64)
      return std::make_unique<Openblas<double>>(size, precision, options);
    if (precision == Precision::f32)
      return std::make_unique<Openblas<float>>(size, precision, options);
    if (const Sbgemm sbgemm = find_sbgemm()) return load_sbgemm(size, options, sbgemm);
    throw Unsupported(unsupported(workload, precision, options));
  };
  registry.add(std::move(openblas));
}

}  // namespace matmul

Facts openblas_facts() {
  Facts facts = openmp_facts();
  const std::string config =
      openblas_get_config();  // "OpenBLAS 0.3.21 NO_LAPACKE DYNAMIC_ARCH ..."
  const auto start = config.find(' ') + 1;
  facts["openblas.version"] = config.substr(start, config.find(' ', start) - start);
  facts["openblas.config"] = config;
  facts["openblas.core"] = openblas_get_corename();
  const char* core = std::getenv(kCoreVariable);
  const char* chosen = std::getenv(kCoreChosenVariable);
  if (core || chosen) {
    facts["openblas.core_requested"] = std::string(core ? core : "OpenBLAS's own choice") + " (" +
                                       (chosen ? chosen : "from the environment") + ")";
  }
  facts["openblas.path"] = library_path(reinterpret_cast<const void*>(&openblas_get_config));
  const int parallel = openblas_get_parallel();
  facts["openblas.parallel"] = parallel == 2 ? "openmp" : parallel == 1 ? "pthread" : "sequential";
  if (parallel != 2) {
    facts["openblas.warning"] = "OpenBLAS at " + facts["openblas.path"] + " is its " +
                                facts["openblas.parallel"] +
                                " build, 2 to 4 times slower beside OpenMP code: install "
                                "libopenblas-openmp-dev and build again";
  } else if (cpu_features().avx512 && core_lacks_avx512(facts["openblas.core"])) {
    facts["openblas.warning"] = "OpenBLAS runs its " + facts["openblas.core"] +
                                " kernels on a CPU with AVX-512, at about half of its speed: " +
                                (core ? std::string("unset ") + kCoreKeptVariable
                                      : std::string("set ") + kCoreVariable + "=SkylakeX");
  }
  return facts;
}

}  // namespace breakeven
