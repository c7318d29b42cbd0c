// Embedding of tokens and positions.
#pragma once

#include <cstdint>

#include "kernels/training/training.h"

namespace breakeven::training {

/// x[b, t] = table[tokens[b, t]] + positions[t].
struct Embedding {
  std::int64_t batch = 1;
  std::int64_t length = 1;  ///< of a sequence
  std::int64_t columns = 1;
  std::int64_t vocabulary = 1;
  const std::int32_t* tokens = nullptr;  ///< [batch, length], each at least 0, below `vocabulary`
  const void* table = nullptr;           ///< [vocabulary, columns] of the storage
  const void* positions = nullptr;       ///< [length, columns] of the storage
  void* x = nullptr;                     ///< [batch, length, columns] of the storage
};

/// Throws std::invalid_argument for sizes below 1 and tensors that aren't aligned.
PreparedLaunch prepare_embedding(const Embedding& p, ElementType storage);

/// dtable[v] = sum of dx over the places of token v, in their order; dpositions[t] = sum over b.
struct EmbeddingBackward {
  std::int64_t batch = 1;
  std::int64_t length = 1;
  std::int64_t columns = 1;
  std::int64_t vocabulary = 1;
  const std::int32_t* tokens = nullptr;  ///< [batch, length]
  const void* dx = nullptr;              ///< [batch, length, columns] of the storage
  float* dtable = nullptr;               ///< [vocabulary, columns]
  float* dpositions = nullptr;           ///< [length, columns]
  bool accumulate = false;  ///< dtable already has what the tied head gives it, and is added to
};

/// Throws std::invalid_argument as prepare_embedding() does.
PreparedLaunch prepare_embedding_backward(const EmbeddingBackward& p, ElementType storage);

}  // namespace breakeven::training
