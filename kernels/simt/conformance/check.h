// One primitive, tried on random inputs against what the PTX manual says of it. The same text runs
// on a GPU (program gpu-conformance) and on the emulator (simt_conformance_test): the emulator's
// models and the kernels share one reading of the manual, and this is what holds it against
// hardware.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "kernels/cuda/launch.h"
#include "kernels/simt/random.h"

namespace breakeven::conformance {

using simt::Random;

struct Check {
  const char* name;
  int min_compute_capability;  // 10 major + minor
  int max_compute_capability;  // inclusive
  /// "", or what came out otherwise than expected. Throws what a failed launch throws.
  std::string (*run)(std::uint64_t seed);
};

inline constexpr int kAny = 1 << 20;

/// Each primitive of kernels/cuda/ptx_base.h and of CUDA's language that kernels use.
std::vector<Check> language_checks();
std::vector<Check> copy_checks();
std::vector<Check> matrix_checks();
/// Those of kernels/cuda/ptx_hopper.h.
std::vector<Check> hopper_copy_checks();
std::vector<Check> hopper_im2col_checks();
std::vector<Check> hopper_wgmma_checks();

/// All of them.
std::vector<Check> all_checks();

/// An array that kernels can reach.
template <class T>
class DeviceArray {
 public:
  explicit DeviceArray(const std::vector<T>& values);
  explicit DeviceArray(std::size_t count) : DeviceArray(std::vector<T>(count)) {}
  ~DeviceArray();
  DeviceArray(const DeviceArray&) = delete;
  DeviceArray& operator=(const DeviceArray&) = delete;

  T* data() { return data_; }
  /// After all launches have ended.
  std::vector<T> values() const;

 private:
  std::size_t count_;
  T* data_;
};

/// "", or the first place where they differ and in how many they do.
template <class T>
std::string compare(const std::vector<T>& got, const std::vector<T>& expected) {
  if (got.size() != expected.size()) return "different lengths";
  std::size_t first = got.size();
  std::size_t wrong = 0;
  for (std::size_t i = 0; i < got.size(); ++i) {
    if (got[i] == expected[i]) continue;  // NaN differs from all, also from NaN
    if (wrong++ == 0) first = i;
  }
  if (wrong == 0) return "";
  return "element " + std::to_string(first) + " is " + std::to_string(got[first]) + ", expected " +
         std::to_string(expected[first]) + "; " + std::to_string(wrong) + " of " +
         std::to_string(got.size()) + " differ";
}

/// `count` random bit patterns, or integers from -most to most.
template <class T>
std::vector<T> random_bits(Random& random, std::size_t count) {
  std::vector<T> values(count);
  for (T& value : values) value = static_cast<T>(random.next() >> 13);
  return values;
}
inline std::vector<int> random_integers(Random& random, std::size_t count, int most) {
  std::vector<int> values(count);
  for (int& value : values) {
    value = static_cast<int>(random.below(static_cast<std::uint32_t>(2 * most + 1))) - most;
  }
  return values;
}

}  // namespace breakeven::conformance

#include "kernels/simt/conformance/device_array.h"
