// The strawman: products and convolutions as a textbook's loops, one thread, no blocking;
// everything else by the loops that all CPU backends share. Bound by the latency of one addition
// per step.
#include "kernels/training/naive.h"

#include <cstdint>
#include <memory>

#include "kernels/host/slow_rows.h"
#include "kernels/training/host_products.h"
#include "kernels/training/host_scratch.h"

namespace breakeven::training {
namespace {

void multiply(const Product& p) {
  const std::int64_t a_row = p.transpose_a ? 1 : p.lda, a_column = p.transpose_a ? p.lda : 1;
  const std::int64_t b_row = p.transpose_b ? 1 : p.ldb, b_column = p.transpose_b ? p.ldb : 1;
  for (std::int64_t i = 0; i < p.m; ++i) {
    for (std::int64_t j = 0; j < p.n; ++j) {
      float sum = 0;
      for (std::int64_t l = 0; l < p.k; ++l) {
        sum += p.a[i * a_row + l * a_column] * p.b[l * b_row + j * b_column];
      }
      float& c = p.c[i * p.ldc + j];
      c = p.alpha * sum + (p.beta == 0 ? 0 : p.beta * c);
    }
  }
}

// A convolution's operands: images x [n,h,w,c], filters w [k,r,s,c], outputs y [n,p,q,k], or their
// gradients.
struct Convolution {
  Conv2dSize size;
  float *x, *w, *y;

  // f(element of x, of w, of y) for every product that the convolution's sums are made of.
  template <class Function>
  void each(const Function& f) const {
    for (std::int64_t n = 0; n < size.n; ++n) {
      for (std::int64_t p = 0; p < size.p(); ++p) {
        for (std::int64_t q = 0; q < size.q(); ++q) pixel(n, p, q, f);
      }
    }
  }

  template <class Function>
  void pixel(std::int64_t n, std::int64_t p, std::int64_t q, const Function& f) const {
    float* out = y + ((n * size.p() + p) * size.q() + q) * size.k;
    for (std::int64_t k = 0; k < size.k; ++k) {
      for (std::int64_t r = 0; r < size.r; ++r) {
        const std::int64_t h = p * size.stride_h - size.pad_h + r;
        if (h < 0 || h >= size.h) continue;
        for (std::int64_t s = 0; s < size.s; ++s) {
          const std::int64_t column = q * size.stride_w - size.pad_w + s;
          if (column < 0 || column >= size.w) continue;
          float* image = x + ((n * size.h + h) * size.w + column) * size.c;
          float* filter = w + ((k * size.r + r) * size.s + s) * size.c;
          for (std::int64_t c = 0; c < size.c; ++c) f(image[c], filter[c], out[k]);
        }
      }
    }
  }

  void forward() const {
    zero(y, size.n * size.p() * size.q() * size.k);
    each([](float& image, float& filter, float& out) { out += image * filter; });
  }
  void backward_data() const {
    zero(x, size.n * size.h * size.w * size.c);
    each([](float& image, float& filter, float& out) { image += out * filter; });
  }
  void backward_weights() const {
    zero(w, size.k * size.r * size.s * size.c);
    each([](float& image, float& filter, float& out) { filter += out * image; });
  }

  static void zero(float* values, std::int64_t count) {
    for (std::int64_t i = 0; i < count; ++i) values[i] = 0;
  }
};

void compile_convolution(HostBuild& build, std::size_t index) {
  require_f32(build);
  const Node& node = build.node(index);
  Convolution conv{std::get<Conv2dSize>(node.attribute), nullptr, nullptr, nullptr};
  const auto floats = [&](TensorId id) { return build.data<float>(id); };
  if (node.op == Op::conv2d) {
    const AfterProduct after = after_product(build, index);
    conv.x = floats(node.inputs[0]);
    conv.w = floats(node.inputs[1]);
    conv.y = floats(after.product());
    build.call([conv] { conv.forward(); });
    call_after_product(build, after);
  } else if (node.op == Op::conv2d_backward_data) {
    conv.y = floats(node.inputs[0]);
    conv.w = floats(node.inputs[1]);
    conv.x = floats(node.outputs[0]);
    build.call([conv] { conv.backward_data(); });
  } else {
    conv.y = floats(node.inputs[0]);
    conv.x = floats(node.inputs[1]);
    conv.w = floats(node.outputs[0]);
    build.call([conv] { conv.backward_weights(); });
    call_bias_gradient(build, node.inputs[0], node.outputs[1]);
  }
}

void compile_node(HostBuild& build, std::size_t index) {
  const Op op = build.node(index).op;
  if (is_linear(op)) return compile_linear(build, index, multiply);
  if (op == Op::conv2d || op == Op::conv2d_backward_data || op == Op::conv2d_backward_weights) {
    return compile_convolution(build, index);
  }
  compile_operation(build, index, multiply);
}

}  // namespace

TrainingBackend naive_backend() {
  TrainingBackend backend;
  backend.name = "naive";
  backend.precisions = {Precision::f32};
  backend.threaded = false;
  backend.make = [](const Graph& graph, Precision precision, const Options& options) {
    return std::make_unique<HostProgram>(graph, precision, options.threads, true, compile_node);
  };
  backend.more_bytes = [](const TrainingStep& step, Precision precision, const Options& options) {
    return host_scratch_bytes(step.model.graph, precision, options.threads);
  };
  backend.unsupported = [](const TrainingStep& step, Precision precision, const Options& options) {
    // A phase's row takes the whole step once.
    if (!phase_of(step.part)) return too_slow(step, precision, options);
    return too_slow(TrainingStep(step, StepPart::step), precision, options);
  };
  backend.convergence = false;  // hundreds of steps
  return backend;
}

void naive(Registry& registry) { add_training(registry, naive_backend()); }

}  // namespace breakeven::training
