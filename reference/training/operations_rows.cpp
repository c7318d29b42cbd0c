// Attention, embedding, losses, activations and optimisers: rows and single elements.
#include <algorithm>
#include <cmath>
#include <numbers>
#include <stdexcept>

#include "reference/training/operations.h"

namespace breakeven {
namespace {

constexpr double kGeluCubic = 0.044715;

double gelu_slope(double x) {
  const double scale = std::sqrt(2 / std::numbers::pi);
  const double tanh = std::tanh(scale * (x + kGeluCubic * x * x * x));
  return 0.5 * (1 + tanh) + 0.5 * x * (1 - tanh * tanh) * scale * (1 + 3 * kGeluCubic * x * x);
}

double gelu_value(double x) {
  return 0.5 * x * (1 + std::tanh(std::sqrt(2 / std::numbers::pi) * (x + kGeluCubic * x * x * x)));
}

// out[i] = value(i) for all elements of the first output.
template <class Value>
void each(const Call& call, Value value) {
  const std::int64_t count = call.out_elements(0);
#pragma omp parallel for schedule(static)
  for (std::int64_t i = 0; i < count; ++i) call.out[0][i] = value(i);
}

double log_sum_exp(const double* x, std::int64_t count) {
  const double largest = *std::max_element(x, x + count);
  double sum = 0;
  for (std::int64_t i = 0; i < count; ++i) sum += std::exp(x[i] - largest);
  return largest + std::log(sum);
}

double dot(const double* a, const double* b, std::int64_t count) {
  double sum = 0;
  for (std::int64_t i = 0; i < count; ++i) sum += a[i] * b[i];
  return sum;
}

// Where one head of one sequence lies in qkv[m,3c] and y[m,c].
struct Head {
  Head(const Sequence& sequence_, std::int64_t width, std::int64_t index)
      : sequence(sequence_),
        channels(width / sequence_.heads),
        qkv_stride(3 * width),
        y_stride(width),
        qkv_start(index / sequence_.heads * sequence_.steps * qkv_stride +
                  index % sequence_.heads * channels),
        y_start(index / sequence_.heads * sequence_.steps * y_stride +
                index % sequence_.heads * channels),
        scale(1 / std::sqrt(static_cast<double>(channels))) {}

  // part: 0 query, 1 key, 2 value.
  std::int64_t at(int part, std::int64_t step) const {
    return qkv_start + step * qkv_stride + part * y_stride;
  }
  std::int64_t y_at(std::int64_t step) const { return y_start + step * y_stride; }

  Sequence sequence;
  std::int64_t channels;
  std::int64_t qkv_stride;
  std::int64_t y_stride;
  std::int64_t qkv_start;
  std::int64_t y_start;
  double scale;
};

void run_sgd(const Call& call) {
  const auto& sgd = std::get<Sgd>(call.node.attribute);
  const std::int64_t count = call.out_elements(0);
#pragma omp parallel for schedule(static)
  for (std::int64_t i = 0; i < count; ++i) {
    const double w = call.in[0][i];
    const double v = sgd.momentum * call.in[2][i] + call.in[1][i] + sgd.decay * w;
    call.out[0][i] = w - sgd.rate * v;
    call.out[1][i] = v;
  }
}

void run_adamw(const Call& call) {
  const auto& adamw = std::get<AdamW>(call.node.attribute);
  const auto step = static_cast<double>(call.step);
  const double correction1 = 1 - std::pow(adamw.beta1, step);
  const double correction2 = 1 - std::pow(adamw.beta2, step);
  const std::int64_t count = call.out_elements(0);
#pragma omp parallel for schedule(static)
  for (std::int64_t i = 0; i < count; ++i) {
    const double w = call.in[0][i];
    const double g = call.in[1][i];
    const double m = adamw.beta1 * call.in[2][i] + (1 - adamw.beta1) * g;
    const double v = adamw.beta2 * call.in[3][i] + (1 - adamw.beta2) * g * g;
    const double move = (m / correction1) / (std::sqrt(v / correction2) + adamw.epsilon);
    call.out[0][i] = w * (1 - adamw.rate * adamw.decay) - adamw.rate * move;
    call.out[1][i] = m;
    call.out[2][i] = v;
  }
}

}  // namespace

void run_attention(const Call& call) {
  const auto& sequence = std::get<Sequence>(call.node.attribute);
  const std::int64_t width = call.out_shape(0)[1];
  const double* qkv = call.in[0];
#pragma omp parallel for schedule(static)
  for (std::int64_t index = 0; index < sequence.batch * sequence.heads; ++index) {
    const Head head(sequence, width, index);
    std::vector<double> scores(static_cast<std::size_t>(sequence.steps));
    for (std::int64_t t = 0; t < sequence.steps; ++t) {
      for (std::int64_t u = 0; u <= t; ++u) {
        scores[u] = head.scale * dot(qkv + head.at(0, t), qkv + head.at(1, u), head.channels);
      }
      const double lse = log_sum_exp(scores.data(), t + 1);
      call.out[1][index * sequence.steps + t] = lse;
      double* y = call.out[0] + head.y_at(t);
      std::fill_n(y, head.channels, 0.0);
      for (std::int64_t u = 0; u <= t; ++u) {
        const double share = std::exp(scores[u] - lse);
        const double* value = qkv + head.at(2, u);
        for (std::int64_t c = 0; c < head.channels; ++c) y[c] += share * value[c];
      }
    }
  }
}

// With shares p[t,u] = exp(score - lse): dv[u] = sum_t p dy[t]; dscore = p (dy[t] v[u] - dy[t]
// y[t]) and from there the gradients of q and k (Dao et al., "FlashAttention", arXiv 2205.14135).
void run_attention_backward(const Call& call) {
  const auto& sequence = std::get<Sequence>(call.node.attribute);
  const std::int64_t width = call.in_shape(0)[1];
  const double* dy = call.in[0];
  const double* qkv = call.in[1];
  double* dqkv = call.out[0];
  std::fill_n(dqkv, call.out_elements(0), 0.0);
#pragma omp parallel for schedule(static)
  for (std::int64_t index = 0; index < sequence.batch * sequence.heads; ++index) {
    const Head head(sequence, width, index);
    for (std::int64_t t = 0; t < sequence.steps; ++t) {
      const double* query = qkv + head.at(0, t);
      const double* dyt = dy + head.y_at(t);
      const double dy_y = dot(dyt, call.in[2] + head.y_at(t), head.channels);
      const double lse = call.in[3][index * sequence.steps + t];
      for (std::int64_t u = 0; u <= t; ++u) {
        const double* key = qkv + head.at(1, u);
        const double share = std::exp(head.scale * dot(query, key, head.channels) - lse);
        const double dscore =
            share * (dot(dyt, qkv + head.at(2, u), head.channels) - dy_y) * head.scale;
        double* dquery = dqkv + head.at(0, t);
        double* dkey = dqkv + head.at(1, u);
        double* dvalue = dqkv + head.at(2, u);
        for (std::int64_t c = 0; c < head.channels; ++c) {
          dquery[c] += dscore * key[c];
          dkey[c] += dscore * query[c];
          dvalue[c] += share * dyt[c];
        }
      }
    }
  }
}

void run_embedding(const Call& call) {
  const std::int64_t steps = std::get<Sequence>(call.node.attribute).steps;
  const std::int64_t width = call.out_shape(0)[1];
  each(call, [&](std::int64_t i) {
    const auto token = static_cast<std::int64_t>(call.in[0][i / width]);
    return call.in[1][token * width + i % width] +
           call.in[2][i / width % steps * width + i % width];
  });
}

void run_embedding_backward(const Call& call) {
  const std::int64_t steps = std::get<Sequence>(call.node.attribute).steps;
  const std::int64_t rows = call.in_shape(0)[0];
  const std::int64_t width = call.in_shape(0)[1];
  for (std::size_t output = 0; output < 2; ++output) {
    double* out = call.out[output];
    if (out == nullptr) continue;
    std::fill_n(out, call.out_elements(output), 0.0);
    for (std::int64_t i = 0; i < rows; ++i) {
      const std::int64_t row = output == 0 ? static_cast<std::int64_t>(call.in[1][i]) : i % steps;
      const double* dx = call.in[0] + i * width;
      for (std::int64_t j = 0; j < width; ++j) out[row * width + j] += dx[j];
    }
  }
}

void run_cross_entropy(const Call& call) {
  const std::int64_t rows = call.in_shape(0)[0];
  const std::int64_t classes = call.in_shape(0)[1];
  std::vector<double> losses(static_cast<std::size_t>(rows));
#pragma omp parallel for schedule(static)
  for (std::int64_t i = 0; i < rows; ++i) {
    const double* logits = call.in[0] + i * classes;
    losses[i] = log_sum_exp(logits, classes) - logits[static_cast<std::int64_t>(call.in[1][i])];
  }
  double sum = 0;
  for (const double loss : losses) sum += loss;
  call.out[0][0] = sum / static_cast<double>(rows);
}

void run_cross_entropy_backward(const Call& call) {
  const std::int64_t rows = call.in_shape(0)[0];
  const std::int64_t classes = call.in_shape(0)[1];
#pragma omp parallel for schedule(static)
  for (std::int64_t i = 0; i < rows; ++i) {
    const double* logits = call.in[0] + i * classes;
    const double lse = log_sum_exp(logits, classes);
    const auto target = static_cast<std::int64_t>(call.in[1][i]);
    for (std::int64_t j = 0; j < classes; ++j) {
      const double hot = j == target ? 1 : 0;
      call.out[0][i * classes + j] = (std::exp(logits[j] - lse) - hot) / static_cast<double>(rows);
    }
  }
}

void run_node(const Call& call) {
  const std::vector<const double*>& in = call.in;
  switch (call.node.op) {
    case Op::linear:
      return run_linear(call);
    case Op::conv2d:
      return run_conv2d(call);
    case Op::relu:
      return each(call, [&](std::int64_t i) { return std::max(in[0][i], 0.0); });
    case Op::gelu:
      return each(call, [&](std::int64_t i) { return gelu_value(in[0][i]); });
    case Op::add:
      return each(call, [&](std::int64_t i) { return in[0][i] + in[1][i]; });
    case Op::batch_norm:
      return run_batch_norm(call);
    case Op::batch_norm_inference:
      return run_batch_norm_inference(call);
    case Op::layer_norm:
      return run_layer_norm(call);
    case Op::max_pool:
      return run_max_pool(call);
    case Op::average_pool:
      return run_average_pool(call);
    case Op::attention:
      return run_attention(call);
    case Op::embedding:
      return run_embedding(call);
    case Op::flatten:
      return each(call, [&](std::int64_t i) { return in[0][i]; });
    case Op::cross_entropy:
      return run_cross_entropy(call);
    case Op::linear_backward_data:
      return run_linear_backward_data(call);
    case Op::linear_backward_weights:
      return run_linear_backward_weights(call);
    case Op::conv2d_backward_data:
      return run_conv2d_backward_data(call);
    case Op::conv2d_backward_weights:
      return run_conv2d_backward_weights(call);
    case Op::relu_backward:
      return each(call, [&](std::int64_t i) { return in[1][i] > 0 ? in[0][i] : 0.0; });
    case Op::gelu_backward:
      return each(call, [&](std::int64_t i) { return in[0][i] * gelu_slope(in[1][i]); });
    case Op::batch_norm_backward:
      return run_batch_norm_backward(call);
    case Op::layer_norm_backward:
      return run_layer_norm_backward(call);
    case Op::max_pool_backward:
      return run_max_pool_backward(call);
    case Op::average_pool_backward:
      return run_average_pool_backward(call);
    case Op::attention_backward:
      return run_attention_backward(call);
    case Op::embedding_backward:
      return run_embedding_backward(call);
    case Op::cross_entropy_backward:
      return run_cross_entropy_backward(call);
    case Op::sgd:
      return run_sgd(call);
    case Op::adamw:
      return run_adamw(call);
  }
  throw std::invalid_argument("unknown operation of a graph");
}

}  // namespace breakeven
