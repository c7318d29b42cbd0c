// For tests of the training kernels on the emulator: tensors of their exact size, so that
// AddressSanitizer sees any access outside them, which hold NaN (0xFF) until they are written.
#pragma once

#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <cstring>
#include <memory>
#include <new>
#include <type_traits>
#include <vector>

#include "kernels/training/training.h"
#include "reference/random.h"

namespace breakeven::training {

template <class T>
inline constexpr ElementType kStorage =
    std::is_same_v<T, bf16> ? ElementType::bf16 : ElementType::f32;

/// Half the distance of neighbours, relative: what storing a value in T may change.
template <class T>
inline constexpr double kRoundoff = std::is_same_v<T, bf16> ? 0x1p-8 : 0x1p-24;

template <class T>
class Tensor {
 public:
  explicit Tensor(std::int64_t elements)
      : elements_(elements),
        data_(static_cast<T*>(::operator new(bytes(), std::align_val_t(256)))) {
    std::memset(data_.get(), 0xFF, bytes());
  }
  /// Uniform in (-scale, scale) + shift, rounded to T.
  Tensor(std::int64_t elements, std::uint32_t stream, double scale = 1, double shift = 0)
      : Tensor(elements) {
    std::vector<double> values(static_cast<std::size_t>(elements));
    random_values({7, stream}, ElementType::f32, 0, static_cast<std::size_t>(elements),
                  values.data());
    for (std::int64_t i = 0; i < elements; ++i) {
      data()[i] =
          from_float<T>(static_cast<float>(values[static_cast<std::size_t>(i)] * scale + shift));
    }
  }

  T* data() { return data_.get(); }
  std::int64_t size() const { return elements_; }
  double operator[](std::int64_t i) const { return static_cast<double>(to_float(data_.get()[i])); }
  std::size_t bytes() const { return static_cast<std::size_t>(elements_) * sizeof(T); }

 private:
  struct Free {
    void operator()(T* data) const { ::operator delete(data, std::align_val_t(256)); }
  };
  std::int64_t elements_;
  std::unique_ptr<T, Free> data_;
};

/// Whole numbers from 0 to below - 1.
inline std::vector<std::int32_t> random_indices(std::size_t count, int below,
                                                std::uint32_t stream) {
  std::vector<std::uint32_t> words(count);
  random_words({7, stream}, 0, words);
  std::vector<std::int32_t> indices;
  for (const std::uint32_t word : words) {
    indices.push_back(static_cast<std::int32_t>(word % static_cast<std::uint32_t>(below)));
  }
  return indices;
}

/// The largest |got - want| in units of what is allowed: roundoff of the storage on top of
/// `computed` roundoffs of f32, both of the tensor's root mean square or the element, whichever is
/// larger. NaN counts as infinitely wrong. At most 1 is right.
template <class T>
double worst(const Tensor<T>& got, const std::vector<double>& want, double computed,
             double storage_roundoffs = 1) {
  double squares = 0;
  for (const double value : want) squares += value * value;
  const double typical = std::sqrt(squares / static_cast<double>(want.size()));
  const double allowed =
      storage_roundoffs * (sizeof(T) == 2 ? kRoundoff<T> : 0.0) + computed * 0x1p-24;
  double most = 0;
  for (std::int64_t i = 0; i < got.size(); ++i) {
    const double value = want[static_cast<std::size_t>(i)];
    if (got[i] == value) continue;
    const double error = std::abs(got[i] - value) / (allowed * std::max(typical, std::abs(value)));
    if (!(error <= most)) most = std::isnan(error) ? INFINITY : error;
  }
  return most;
}

/// Calls body() with the emulator's threads in `count` orders.
template <class Body>
void in_thread_orders(int count, Body body) {
  const simt::Settings saved = simt::settings();
  for (int seed = 1; seed <= count; ++seed) {
    simt::settings().seed = static_cast<std::uint64_t>(seed);
    body();
  }
  simt::settings() = saved;
}

}  // namespace breakeven::training
