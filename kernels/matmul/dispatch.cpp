#include "kernels/matmul/dispatch.h"

#include <algorithm>
#include <cmath>
#include <stdexcept>

#include "kernels/matmul/mma_rungs.h"

namespace breakeven::matmul {
namespace {

// Within it the number of tiles, and so of waves, changes little.
constexpr double kNear = 1.25;

/// How far two problems lie apart: the logarithm of the largest factor between their dimensions.
double distance(const GemmShape& a, const GemmShape& b) {
  const auto apart = [](std::int64_t x, std::int64_t y) {
    return std::abs(std::log(static_cast<double>(x) / static_cast<double>(y)));
  };
  return std::max({apart(a.m, b.m), apart(a.n, b.n), apart(a.k, b.k)});
}

std::string capability_text(int capability) {
  return std::to_string(capability / 10) + "." + std::to_string(capability % 10);
}

Choice best_wgmma(const Gemm& gemm, Precision precision, const Gpu& gpu) {
  const std::vector<Rung>& rungs = wgmma_rungs();
  for (auto rung = rungs.rbegin(); rung != rungs.rend(); ++rung) {
    if (rung->precision == precision && unsupported_reason(*rung, gemm, gpu).empty()) {
      return {&*rung};
    }
  }
  return {};
}

// Tiles of wgmma are 128 rows high and k is not cut: where they leave most multiprocessors idle,
// the mma.sync rung's smaller tiles and parts of k fill more of them.
bool fills_by_wgmma(const GemmShape& shape, const Gpu& gpu) {
  constexpr int kTile = 128;
  return 2 * ceil_div(shape.m, kTile) * ceil_div(shape.n, kTile) >= gpu.sms;
}

}  // namespace

const std::vector<const Rung*>& all_rungs() {
  static const std::vector<const Rung*> rungs = [] {
    std::vector<const Rung*> all;
    for (const std::vector<Rung>* ladder : {&f32_rungs(), &mma_rungs(), &wgmma_rungs()}) {
      for (const Rung& rung : *ladder) all.push_back(&rung);
    }
    return all;
  }();
  return rungs;
}

const Rung* find_rung(std::string_view name, Precision precision) {
  for (const Rung* rung : all_rungs()) {
    if (rung->name == name && rung->precision == precision) return rung;
  }
  return nullptr;
}

int tiling_index(const Rung& rung, std::string_view name) {
  if (name.empty()) return -1;
  for (std::size_t i = 0; i < rung.tilings.size(); ++i) {
    if (rung.tilings[i] == name) return static_cast<int>(i);
  }
  throw std::invalid_argument(std::string(rung.name) + " has no tiling " + std::string(name));
}

std::string unsupported_reason(const Rung& rung, const Gemm& gemm, const Gpu& gpu) {
  if (gpu.compute_capability < rung.min_compute_capability ||
      gpu.compute_capability > rung.max_compute_capability) {
    const bool from = rung.max_compute_capability == kAnyCompute;
    return "needs compute capability " + capability_text(rung.min_compute_capability) +
           (from ? " or later" : "") + ", this GPU has " + capability_text(gpu.compute_capability);
  }
  return rung.unsupported(gemm, gpu);
}

Choice tuned_choice(std::span<const TunedChoice> tuned, const Gemm& gemm, Precision precision,
                    const Gpu& gpu) {
  Choice best;
  double nearest = std::log(kNear);
  for (const TunedChoice& entry : tuned) {
    if (entry.compute_capability != gpu.compute_capability || entry.sms != gpu.sms ||
        entry.precision != precision || entry.shape.trans_a != gemm.shape.trans_a ||
        entry.shape.trans_b != gemm.shape.trans_b) {
      continue;
    }
    const double away = distance(entry.shape, gemm.shape);
    if (away > nearest || (best.rung && away == nearest)) continue;
    const Rung* rung = find_rung(entry.rung, precision);
    if (!rung) continue;  // a table older than the ladders
    const auto tiling = std::find(rung->tilings.begin(), rung->tilings.end(), entry.tiling);
    if (!entry.tiling.empty() && tiling == rung->tilings.end()) continue;
    Gemm tiled = gemm;
    tiled.tiling = tiling_index(*rung, entry.tiling);
    if (!unsupported_reason(*rung, tiled, gpu).empty()) continue;
    best = {rung, tiled.tiling};
    nearest = away;
  }
  return best;
}

Choice choose(const Gemm& gemm, Precision precision, const Gpu& gpu) {
  if (const Choice tuned = tuned_choice(tuned_choices(), gemm, precision, gpu); tuned.rung) {
    return tuned;
  }
  if (precision == Precision::f64) return {};
  if (precision == Precision::f32) {
    const Rung& rung = choose_f32(gemm, gpu);
    if (unsupported_reason(rung, gemm, gpu).empty()) return {&rung};
    return {};
  }
  const Choice wgmma = best_wgmma(gemm, precision, gpu);
  if (wgmma.rung && fills_by_wgmma(gemm.shape, gpu)) return wgmma;
  const Rung& mma = choose_mma(gemm, precision, gpu);
  if (unsupported_reason(mma, gemm, gpu).empty()) return {&mma};
  return wgmma;
}

Gemm dense_gemm(const Matmul& matmul) {
  Gemm gemm;
  gemm.shape = {matmul.m, matmul.n, matmul.k, matmul.trans_a, matmul.trans_b};
  gemm.lda = matmul.trans_a ? matmul.m : matmul.k;
  gemm.ldb = matmul.trans_b ? matmul.k : matmul.n;
  gemm.ldc = matmul.n;
  return gemm;
}

}  // namespace breakeven::matmul
