// The loss of a classifier and its gradient in one pass over the logits.
#pragma once

#include <cstdint>

#include "kernels/training/training.h"

namespace breakeven::training {

/// loss = mean over rows of log(sum(exp(logits))) - logits[target].
struct CrossEntropy {
  std::int64_t rows = 1;
  std::int64_t columns = 1;
  const void* logits = nullptr;           ///< [rows, columns] of the storage
  const std::int32_t* targets = nullptr;  ///< [rows], each at least 0 and below `columns`
  void* gradient = nullptr;     ///< like logits: (softmax - one-hot) gradient_scale; may be logits
                                ///< itself; nullptr: the loss alone
  float* row_losses = nullptr;  ///< [rows], workspace
  float* loss = nullptr;        ///< [1]
  float gradient_scale = 0;     ///< 0: 1 / rows; else e.g. 1 / rows of a batch that comes in parts
};

/// The softmax in one pass with a running maximum: Milakov & Gimelshein, "Online normalizer
/// calculation for softmax", arXiv:1805.02867. Throws std::invalid_argument for sizes below 1 and
/// tensors that aren't aligned.
PreparedLaunch prepare_cross_entropy(const CrossEntropy& p, ElementType storage);

}  // namespace breakeven::training
