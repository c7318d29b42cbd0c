// Host memory for operands: aligned, on huge pages where they help, and untouched.
#pragma once

#include <cstddef>
#include <span>

namespace breakeven {

inline constexpr std::size_t kCacheLineBytes = 64;
inline constexpr std::size_t kHugePageBytes = std::size_t{2} << 20;

/// Owns `bytes` of uninitialised memory. From kHugePageBytes on, the pages are fresh from the
/// kernel (no page was touched yet, so the threads that fill it decide on which NUMA node it lies),
/// 2 MiB aligned and advised to be huge; below, it is aligned to a cache line.
/// Throws std::bad_alloc where there is no memory.
class HostBuffer {
 public:
  HostBuffer() = default;
  explicit HostBuffer(std::size_t bytes);
  ~HostBuffer();
  HostBuffer(HostBuffer&& other) noexcept;
  HostBuffer& operator=(HostBuffer&& other) noexcept;

  std::byte* data() { return data_; }
  const std::byte* data() const { return data_; }
  std::size_t bytes() const { return bytes_; }
  std::span<std::byte> span() { return {data_, bytes_}; }

  /// The buffer as an array of T.
  template <class T>
  T* as() {
    return reinterpret_cast<T*>(data_);
  }
  template <class T>
  const T* as() const {
    return reinterpret_cast<const T*>(data_);
  }

 private:
  std::byte* data_ = nullptr;
  std::size_t bytes_ = 0;
  std::size_t mapped_bytes_ = 0;  // 0: from aligned_alloc
};

/// Writes 0xFF into every byte, by all OpenMP threads in static chunks: NaN in every floating
/// format, -1 in the integer ones. On a new buffer this is the first touch.
void poison(std::span<std::byte> bytes);

}  // namespace breakeven
