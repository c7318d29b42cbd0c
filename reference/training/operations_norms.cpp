// Normalisation (Ioffe & Szegedy, arXiv 1502.03167; Ba, Kiros & Hinton, arXiv 1607.06450) and
// pooling.
#include <algorithm>
#include <cmath>
#include <limits>

#include "reference/training/operations.h"

namespace breakeven {
namespace {

// The values that share a mean: element i is data[i * stride].
struct Line {
  std::int64_t count;
  std::int64_t stride;
};

struct Moments {
  double mean;
  double variance;  // biased
};

Moments moments(const double* x, Line line) {
  const auto count = static_cast<double>(line.count);
  double sum = 0;
  for (std::int64_t i = 0; i < line.count; ++i) sum += x[i * line.stride];
  const double mean = sum / count;
  double squares = 0;
  for (std::int64_t i = 0; i < line.count; ++i) {
    squares += (x[i * line.stride] - mean) * (x[i * line.stride] - mean);
  }
  return {mean, squares / count};
}

double rstd_of(double variance) { return 1 / std::sqrt(variance + kNormEpsilon); }

// Channels of a batch of images.
Line channel_line(const std::vector<std::int64_t>& shape) {
  return {shape[0] * shape[1] * shape[2], shape[3]};
}

// With g = gamma dy and x^ = (x - mean) rstd: dx = rstd (g - mean(g) - x^ mean(g x^)), where
// gamma(i) is that of the line's element i.
template <class Gamma>
void line_backward(const double* dy, const double* x, double mean, double rstd, Line line,
                   Gamma gamma, double* dx) {
  double sum = 0;
  double sum_normal = 0;
  for (std::int64_t i = 0; i < line.count; ++i) {
    const double g = gamma(i) * dy[i * line.stride];
    sum += g;
    sum_normal += g * (x[i * line.stride] - mean) * rstd;
  }
  const auto count = static_cast<double>(line.count);
  for (std::int64_t i = 0; i < line.count; ++i) {
    const double normal = (x[i * line.stride] - mean) * rstd;
    const double g = gamma(i) * dy[i * line.stride];
    dx[i * line.stride] = rstd * (g - sum / count - normal * sum_normal / count);
  }
}

// Calls visit(output index, input index) for every pixel of every window that is inside the image,
// in row-major order; one image and channel at a time.
template <class Visit>
void for_each_in_window(const Window& window, const std::vector<std::int64_t>& in,
                        const std::vector<std::int64_t>& out, std::int64_t image,
                        std::int64_t channel, Visit visit) {
  for (std::int64_t p = 0; p < out[1]; ++p) {
    for (std::int64_t q = 0; q < out[2]; ++q) {
      const std::int64_t top = p * window.stride - window.pad;
      const std::int64_t left = q * window.stride - window.pad;
      const std::int64_t y = ((image * out[1] + p) * out[2] + q) * out[3] + channel;
      for (std::int64_t h = std::max<std::int64_t>(top, 0); h < std::min(top + window.side, in[1]);
           ++h) {
        for (std::int64_t w = std::max<std::int64_t>(left, 0);
             w < std::min(left + window.side, in[2]); ++w) {
          visit(y, ((image * in[1] + h) * in[2] + w) * in[3] + channel);
        }
      }
    }
  }
}

}  // namespace

void run_batch_norm(const Call& call) {
  const Line line = channel_line(call.in_shape(0));
  const auto count = static_cast<double>(line.count);
#pragma omp parallel for schedule(static)
  for (std::int64_t c = 0; c < line.stride; ++c) {
    const double* x = call.in[0] + c;
    const auto [mean, variance] = moments(x, line);
    const double rstd = rstd_of(variance);
    for (std::int64_t i = 0; i < line.count; ++i) {
      call.out[0][i * line.stride + c] =
          call.in[1][c] * (x[i * line.stride] - mean) * rstd + call.in[2][c];
    }
    call.out[1][c] = mean;
    call.out[2][c] = rstd;
    call.out[3][c] = (1 - kRunningShare) * call.in[3][c] + kRunningShare * mean;
    call.out[4][c] =
        (1 - kRunningShare) * call.in[4][c] + kRunningShare * variance * count / (count - 1);
  }
}

void run_batch_norm_inference(const Call& call) {
  const Line line = channel_line(call.in_shape(0));
#pragma omp parallel for schedule(static)
  for (std::int64_t c = 0; c < line.stride; ++c) {
    const double rstd = rstd_of(call.in[4][c]);
    for (std::int64_t i = 0; i < line.count; ++i) {
      const std::int64_t at = i * line.stride + c;
      call.out[0][at] = call.in[1][c] * (call.in[0][at] - call.in[3][c]) * rstd + call.in[2][c];
    }
  }
}

void run_batch_norm_backward(const Call& call) {
  const Line line = channel_line(call.in_shape(1));
#pragma omp parallel for schedule(static)
  for (std::int64_t c = 0; c < line.stride; ++c) {
    const double* dy = call.in[0] + c;
    const double* x = call.in[1] + c;
    const double mean = call.in[3][c];
    const double rstd = call.in[4][c];
    double dgamma = 0;
    double dbeta = 0;
    for (std::int64_t i = 0; i < line.count; ++i) {
      dgamma += dy[i * line.stride] * (x[i * line.stride] - mean) * rstd;
      dbeta += dy[i * line.stride];
    }
    if (call.out[1] != nullptr) call.out[1][c] = dgamma;
    if (call.out[2] != nullptr) call.out[2][c] = dbeta;
    if (call.out[0] == nullptr) continue;
    const double gamma = call.in[2][c];
    line_backward(dy, x, mean, rstd, line, [&](std::int64_t) { return gamma; }, call.out[0] + c);
  }
}

void run_layer_norm(const Call& call) {
  const std::int64_t rows = call.in_shape(0)[0];
  const std::int64_t columns = call.in_shape(0)[1];
#pragma omp parallel for schedule(static)
  for (std::int64_t i = 0; i < rows; ++i) {
    const double* x = call.in[0] + i * columns;
    const auto [mean, variance] = moments(x, {columns, 1});
    const double rstd = rstd_of(variance);
    for (std::int64_t j = 0; j < columns; ++j) {
      call.out[0][i * columns + j] = call.in[1][j] * (x[j] - mean) * rstd + call.in[2][j];
    }
    call.out[1][i] = mean;
    call.out[2][i] = rstd;
  }
}

void run_layer_norm_backward(const Call& call) {
  const std::int64_t rows = call.in_shape(1)[0];
  const std::int64_t columns = call.in_shape(1)[1];
  const double* gamma = call.in[2];
  if (call.out[0] != nullptr) {
#pragma omp parallel for schedule(static)
    for (std::int64_t i = 0; i < rows; ++i) {
      const std::int64_t at = i * columns;
      line_backward(
          call.in[0] + at, call.in[1] + at, call.in[3][i], call.in[4][i], {columns, 1},
          [&](std::int64_t j) { return gamma[j]; }, call.out[0] + at);
    }
  }
#pragma omp parallel for schedule(static)
  for (std::int64_t j = 0; j < columns; ++j) {
    double dgamma = 0;
    double dbeta = 0;
    for (std::int64_t i = 0; i < rows; ++i) {
      const double dy = call.in[0][i * columns + j];
      dgamma += dy * (call.in[1][i * columns + j] - call.in[3][i]) * call.in[4][i];
      dbeta += dy;
    }
    if (call.out[1] != nullptr) call.out[1][j] = dgamma;
    if (call.out[2] != nullptr) call.out[2][j] = dbeta;
  }
}

void run_max_pool(const Call& call) {
  const auto& in = call.in_shape(0);
  std::fill_n(call.out[0], call.out_elements(0), -std::numeric_limits<double>::infinity());
#pragma omp parallel for schedule(static)
  for (std::int64_t plane = 0; plane < in[0] * in[3]; ++plane) {
    for_each_in_window(std::get<Window>(call.node.attribute), in, call.out_shape(0), plane / in[3],
                       plane % in[3], [&](std::int64_t y, std::int64_t x) {
                         double& most = call.out[0][y];
                         const double value = call.in[0][x];
                         if (value > most || std::isnan(value)) most = value;
                       });
  }
}

void run_max_pool_backward(const Call& call) {
  const auto& in = call.in_shape(1);
  const auto& out = call.in_shape(0);
  std::fill_n(call.out[0], call.out_elements(0), 0.0);
#pragma omp parallel for schedule(static)
  for (std::int64_t plane = 0; plane < in[0] * in[3]; ++plane) {
    // A window's pixels come one after the other: its best is added where the next one begins.
    std::int64_t window = -1;
    std::int64_t best = -1;
    const auto add_best = [&] {
      if (window >= 0) call.out[0][best] += call.in[0][window];
    };
    for_each_in_window(std::get<Window>(call.node.attribute), in, out, plane / in[3], plane % in[3],
                       [&](std::int64_t y, std::int64_t x) {
                         if (y != window) {
                           add_best();
                           window = y;
                           best = x;
                         } else if (call.in[1][x] > call.in[1][best]) {
                           best = x;
                         }
                       });
    add_best();
  }
}

void run_average_pool(const Call& call) {
  const auto& in = call.in_shape(0);
  const std::int64_t pixels = in[1] * in[2];
  for (std::int64_t plane = 0; plane < in[0] * in[3]; ++plane) {
    const double* x = call.in[0] + plane / in[3] * pixels * in[3] + plane % in[3];
    double sum = 0;
    for (std::int64_t i = 0; i < pixels; ++i) sum += x[i * in[3]];
    call.out[0][plane] = sum / static_cast<double>(pixels);
  }
}

void run_average_pool_backward(const Call& call) {
  const auto& shape = call.out_shape(0);
  const std::int64_t pixels = shape[1] * shape[2];
  for (std::int64_t i = 0; i < call.out_elements(0); ++i) {
    const std::int64_t plane = i / (pixels * shape[3]) * shape[3] + i % shape[3];
    call.out[0][i] = call.in[0][plane] / static_cast<double>(pixels);
  }
}

}  // namespace breakeven
