// Seeded randomness that is the same on every machine.
#pragma once

#include <cstdint>
#include <utility>
#include <vector>

namespace breakeven {

/// SplitMix64 (Steele, Lea, Flood 2014): small, and the same everywhere, which std::shuffle and the
/// distributions of <random> are not.
class Random {
 public:
  /// `stream` tells apart generators of one seed.
  Random(std::uint64_t seed, std::uint64_t stream)
      : state_(seed * 0x9e3779b97f4a7c15u + stream + 1) {
    next();
  }

  /// Uniform over all 64-bit numbers.
  std::uint64_t next() {
    std::uint64_t z = (state_ += 0x9e3779b97f4a7c15u);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
  }

  template <class T>
  void shuffle(std::vector<T>& values) {
    for (std::size_t left = values.size(); left > 1; --left) {
      std::swap(values[left - 1], values[next() % left]);
    }
  }

 private:
  std::uint64_t state_;
};

}  // namespace breakeven
