// What cuBLASLt is asked for by a linear layer: plain, tested without a GPU.
#pragma once

#include "kernels/training/device_products.h"
#include "kernels/training/lt_product.h"

namespace breakeven::training {

/// A linear layer's product as cuBLASLt's: weight gradients are stored in f32.
inline LtCall lt_call(Precision precision, const LinearProduct& p) {
  LtCall call{};
  call.precision = precision;
  call.a = p.a, call.b = p.b, call.c = p.to, call.bias = p.bias;
  switch (p.direction) {
    case Direction::forward:
      call.m = p.m, call.n = p.n, call.k = p.k;
      call.trans_b = true;
      break;
    case Direction::backward_data:
      call.m = p.m, call.n = p.k, call.k = p.n;
      break;
    case Direction::backward_weights:
      call.m = p.n, call.n = p.k, call.k = p.m;
      call.trans_a = true;
      call.f32_result = true;
      break;
  }
  if (p.bias == nullptr) return call;
  call.epilogue = p.activation == Activation::relu   ? LtEpilogue::bias_relu
                  : p.activation == Activation::gelu ? LtEpilogue::bias_gelu
                                                     : LtEpilogue::bias;
  return call;
}

}  // namespace breakeven::training
