// Launches every kernel of the matrix products, for tools/budget.
#include <array>
#include <cstdint>

#include "kernels/cuda/launches.h"
#include "kernels/matmul/dispatch.h"

namespace breakeven::matmul {
namespace {

struct Size {
  std::int64_t m, n, k;
};

// Together they reach every kernel: large and small tiles, parts of k, one row, one column.
constexpr std::array<Size, 10> kSizes = {{{8192, 8192, 8192},
                                          {4096, 4096, 4096},
                                          {1024, 1024, 1024},
                                          {256, 256, 4096},
                                          {64, 64, 64},
                                          {16, 4096, 4096},
                                          {4096, 16, 4096},
                                          {33, 35, 37},
                                          {1, 4096, 4096},
                                          {4096, 1, 4096}}};

constexpr std::array<Gpu, 6> kGpus = {
    {{80, 108}, {86, 84}, {89, 142}, {90, 132}, {100, 148}, {120, 170}}};

/// Any addresses that are as aligned as cudaMalloc's; nothing reads them.
void* address(int number) { return reinterpret_cast<void*>(std::uintptr_t{0x10000000} << number); }

Gemm gemm_of(const Size& size, bool trans_a, bool trans_b, int padding) {
  Gemm gemm = dense_gemm(Matmul("launches", size.m, size.n, size.k, trans_a, trans_b));
  gemm.lda += padding;
  gemm.ldb += padding;
  gemm.ldc += padding;
  gemm.a = address(1);
  gemm.b = address(2);
  gemm.c = address(3);
  gemm.bias = address(4);
  return gemm;
}

void launch_tilings(const Rung& rung, Gemm gemm, const Gpu& gpu) {
  for (int tiling = -1; tiling < static_cast<int>(rung.tilings.size()); ++tiling) {
    gemm.tiling = tiling;
    if (!unsupported_reason(rung, gemm, gpu).empty()) continue;
    catch_launches(rung.name, rung.prepare(gemm, address(5), gpu).enqueue);
  }
}

void launch_all_of(const Rung& rung) {
  for (const Gpu& gpu : kGpus) {
    for (const Size& size : kSizes) {
      for (const int variant : {0, 1, 2, 3}) {
        for (const int padding : {0, 1}) {  // 1: rows that no vector divides
          Gemm gemm = gemm_of(size, variant % 2 == 1, variant / 2 == 1, padding);
          for (const Epilogue epilogue : {Epilogue::none, Epilogue::bias_gelu}) {
            gemm.epilogue = epilogue;
            launch_tilings(rung, gemm, gpu);
          }
        }
      }
    }
  }
}

void launch_all() {
  for (const Rung* rung : all_rungs()) launch_all_of(*rung);
}

const Launcher launcher(launch_all);

}  // namespace
}  // namespace breakeven::matmul
