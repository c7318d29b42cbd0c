// Convolution as a kernel by im2col and OpenBLAS's products: see kernels/conv2d/im2col_program.h.
#pragma once

#include "kernels/conv2d/im2col_program.h"
#include "kernels/host/host_kernel.h"

namespace breakeven::conv2d {

template <class T>
class Im2col final : public HostKernel {
 public:
  /// Throws Unsupported for Products::own where there is too little to share out.
  Im2col(const Conv2d& conv, Precision precision, int threads, Products products = Products::faster)
      : HostKernel(conv, precision),
        direction_(conv.direction),
        program_(conv, threads, products),
        scratch_(program_.scratch_bytes()) {
    poison(scratch_.span());
  }

  void prepare() override {
    program_.choose(tensors(), scratch_.template as<T>());
    poison_output();
  }

  void run() override { program_.run(tensors(), scratch_.template as<T>()); }

  Facts facts() const override { return program_.facts(); }

 private:
  Im2colTensors<T> tensors() {
    T* first = input(0).template as<T>();
    T* second = input(1).template as<T>();
    T* out = result().template as<T>();
    switch (direction_) {
      case Conv2dOp::backward_data:
        return {out, second, first};
      case Conv2dOp::backward_weights:
        return {first, out, second};
      case Conv2dOp::bias_relu:
        return {first, second, out, input(2).template as<T>()};
      default:
        return {first, second, out};
    }
  }

  Conv2dOp direction_;
  Im2colProgram<T> program_;
  HostBuffer scratch_;
};

}  // namespace breakeven::conv2d
