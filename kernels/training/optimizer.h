// SGD with momentum and AdamW over all tensors of a model in one launch.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "kernels/training/training.h"

namespace breakeven::training {

/// One parameter, `elements` of f32 in device memory each. The state is read on the left and
/// written on the right, so that a step can be repeated from the same state; both may be the same
/// memory.
struct OptimizerTensor {
  std::int64_t elements = 0;
  const float* gradient = nullptr;
  const float* weights = nullptr;
  const float* momentum = nullptr;  ///< SGD's, or AdamW's first moment
  const float* square = nullptr;    ///< AdamW's second moment; SGD: nullptr
  float* next_weights = nullptr;
  float* next_momentum = nullptr;
  float* next_square = nullptr;  ///< SGD: nullptr
  bf16* copy = nullptr;          ///< the next weights rounded, for products in bf16; or nullptr
  float decay = 0;               ///< weight decay of this tensor
};

/// A block's work: kOptimizerChunk elements of a tensor, or what is left of it.
struct OptimizerChunk {
  std::int32_t tensor;
  std::int32_t elements;
  std::int64_t first;
};
inline constexpr int kOptimizerChunk = 4096;

/// What `tensors` are cut into, in their order; to be uploaded beside them. Throws
/// std::invalid_argument for a tensor that isn't aligned or has no elements.
std::vector<OptimizerChunk> optimizer_chunks(std::span<const OptimizerTensor> tensors);

/// v' = momentum v + g + decay w; w' = w - learning_rate v'. In device memory, so that a captured
/// graph sees another learning rate.
struct SgdScalars {
  float learning_rate;
  float momentum;
};

/// AdamW (Loshchilov & Hutter, arXiv:1711.05101): m' = b1 m + (1 - b1) g; v' = b2 v + (1 - b2) g^2;
/// w' = w (1 - learning_rate decay) - learning_rate (m' / (1 - b1^step)) / (sqrt(v' / (1 -
/// b2^step)) + epsilon).
struct AdamwScalars {
  float learning_rate;
  float beta1;
  float beta2;
  float epsilon;
  std::int32_t step;        ///< of the next update: 1 for the first
  float first_correction;   ///< 1 - beta1^step
  float second_correction;  ///< sqrt(1 - beta2^step)
};

/// With the corrections of `step`, computed in double. Throws std::invalid_argument for a step
/// below 1.
AdamwScalars adamw_scalars(float learning_rate, float beta1, float beta2, float epsilon, int step);

/// On the device: the next step, and its corrections.
PreparedLaunch prepare_next_step(AdamwScalars* scalars);

/// `tensors`, `chunks` and `scalars` are in device memory.
PreparedLaunch prepare_sgd(const OptimizerTensor* tensors, const OptimizerChunk* chunks,
                           std::int64_t chunk_count, const SgdScalars* scalars);
PreparedLaunch prepare_adamw(const OptimizerTensor* tensors, const OptimizerChunk* chunks,
                             std::int64_t chunk_count, const AdamwScalars* scalars);

}  // namespace breakeven::training
