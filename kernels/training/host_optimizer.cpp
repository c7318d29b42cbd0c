#include "kernels/training/host_optimizer.h"

#include <cmath>

#include "kernels/training/host_isa.h"
#include "kernels/training/host_team.h"

namespace breakeven::training {
namespace {

struct SgdFactors {
  float rate, momentum;
};

struct AdamWFactors {
  float beta1, rest1, beta2, rest2;
  float step;          // rate / (1 - beta1^t)
  float inverse_root;  // 1 / sqrt(1 - beta2^t)
  float epsilon, rate;
};

struct SgdLoop {
  [[gnu::always_inline]] static void run(const HostUpdate* update, const SgdFactors* factors,
                                         Part part) {
    const float *w = update->w, *g = update->g, *v = update->v;
    float *next_w = update->next_w, *next_v = update->next_v;
    const float rate = factors->rate, momentum = factors->momentum, decay = update->decay;
#pragma GCC ivdep
    for (std::int64_t i = part.begin; i < part.end; ++i) {
      const float velocity = momentum * v[i] + (g[i] + decay * w[i]);
      next_v[i] = velocity;
      next_w[i] = w[i] - rate * velocity;
    }
  }
};

struct AdamWLoop {
  [[gnu::always_inline]] static void run(const HostUpdate* update, const AdamWFactors* factors,
                                         Part part) {
    const float *w = update->w, *g = update->g, *m = update->m, *v = update->v;
    float *next_w = update->next_w, *next_m = update->next_m, *next_v = update->next_v;
    const AdamWFactors f = *factors;
    const float shrink = f.rate * update->decay;
#pragma GCC ivdep
    for (std::int64_t i = part.begin; i < part.end; ++i) {
      const float mean = f.beta1 * m[i] + f.rest1 * g[i];
      const float square = f.beta2 * v[i] + f.rest2 * (g[i] * g[i]);
      next_m[i] = mean;
      next_v[i] = square;
      // One rounding at the weight's own size, not two.
      next_w[i] =
          w[i] - (shrink * w[i] + f.step * mean / (std::sqrt(square) * f.inverse_root + f.epsilon));
    }
  }
};

struct Copy {
  [[gnu::always_inline]] static void run(const float* from, Bf16* to, Part part) {
#pragma GCC ivdep
    for (std::int64_t i = part.begin; i < part.end; ++i) to[i] = narrow<Bf16>(from[i]);
  }
};

// Each thread has one stretch of all elements put behind each other, so that neither a large tensor
// nor many small ones leave a thread idle. In pieces, so that a copy finds its weights in cache.
template <class Loop, class Factors>
void update_all(std::span<const HostUpdate> updates, const Factors& factors) {
  constexpr std::int64_t kPiece = 4096;
  std::int64_t elements = 0;
  for (const HostUpdate& update : updates) elements += update.elements;
#pragma omp parallel if (worth_team(elements))
  {
    const Part own = own_part(elements);
    std::int64_t before = 0;
    for (const HostUpdate& update : updates) {
      const std::int64_t end = std::min(own.end - before, update.elements);
      for (std::int64_t i = std::max<std::int64_t>(own.begin - before, 0); i < end; i += kPiece) {
        const Part piece{i, std::min(i + kPiece, end)};
        run_loop<Loop>(&update, &factors, piece);
        if (update.copy) run_loop<Copy>(update.next_w, update.copy, piece);
      }
      before += update.elements;
    }
  }
}

}  // namespace

void sgd(std::span<const HostUpdate> updates, const Sgd& optimizer) {
  update_all<SgdLoop>(updates, SgdFactors{static_cast<float>(optimizer.rate),
                                          static_cast<float>(optimizer.momentum)});
}

void adamw(std::span<const HostUpdate> updates, const AdamW& optimizer, std::int64_t step) {
  // In f64: 1 - beta and 1 - beta^t lose digits otherwise.
  const auto t = static_cast<double>(step);
  const double left1 = 1 - std::pow(optimizer.beta1, t), left2 = 1 - std::pow(optimizer.beta2, t);
  update_all<AdamWLoop>(
      updates,
      AdamWFactors{static_cast<float>(optimizer.beta1), static_cast<float>(1 - optimizer.beta1),
                   static_cast<float>(optimizer.beta2), static_cast<float>(1 - optimizer.beta2),
                   static_cast<float>(optimizer.rate / left1),
                   static_cast<float>(1 / std::sqrt(left2)), static_cast<float>(optimizer.epsilon),
                   static_cast<float>(optimizer.rate)});
}

}  // namespace breakeven::training
