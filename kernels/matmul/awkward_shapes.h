// For tests: shapes on which matmul implementations go wrong.
#pragma once

#include <memory>
#include <vector>

#include "reference/matmul.h"

namespace breakeven::matmul {

/// Ones, primes, a reduction of one, tall, skinny, vectors, and every transposition.
inline std::vector<std::unique_ptr<Matmul>> awkward_shapes() {
  struct Size {
    const char* name;
    int m, n, k;
  };
  std::vector<std::unique_ptr<Matmul>> shapes;
  for (const Size& s :
       {Size{"one", 1, 1, 1}, Size{"primes", 37, 53, 71}, Size{"k1", 33, 17, 1},
        Size{"tall", 517, 3, 19}, Size{"wide", 3, 517, 19}, Size{"deep", 5, 7, 1031},
        Size{"row", 1, 129, 65}, Size{"column", 129, 1, 65}, Size{"block", 128, 96, 64}}) {
    for (const bool trans_a : {false, true}) {
      for (const bool trans_b : {false, true}) {
        shapes.push_back(std::make_unique<Matmul>(s.name, s.m, s.n, s.k, trans_a, trans_b));
      }
    }
  }
  return shapes;
}

}  // namespace breakeven::matmul
