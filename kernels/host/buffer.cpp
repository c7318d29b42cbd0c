#include "kernels/host/buffer.h"

#include <sys/mman.h>

#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <new>
#include <utility>

namespace breakeven {
namespace {

std::size_t round_up(std::size_t bytes, std::size_t unit) {
  return (bytes + unit - 1) / unit * unit;
}

// mmap knows no alignment beyond the page: map 2 MiB too much and give the ends back.
std::byte* map_aligned(std::size_t bytes) {
  void* raw = mmap(nullptr, bytes + kHugePageBytes, PROT_READ | PROT_WRITE,
                   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (raw == MAP_FAILED) throw std::bad_alloc();
  const auto address = reinterpret_cast<std::uintptr_t>(raw);
  const std::size_t before = round_up(address, kHugePageBytes) - address;
  std::byte* aligned = static_cast<std::byte*>(raw) + before;
  if (before > 0) munmap(raw, before);
  munmap(aligned + bytes, kHugePageBytes - before);
  // Advice only: where huge pages are switched off, the buffer has small ones.
  madvise(aligned, bytes, MADV_HUGEPAGE);
  return aligned;
}

}  // namespace

HostBuffer::HostBuffer(std::size_t bytes) : bytes_(bytes) {
  if (bytes >= kHugePageBytes) {
    mapped_bytes_ = round_up(bytes, kHugePageBytes);
    if (mapped_bytes_ < bytes || mapped_bytes_ > PTRDIFF_MAX - kHugePageBytes)
      throw std::bad_alloc();
    data_ = map_aligned(mapped_bytes_);
  } else {
    const std::size_t rounded = round_up(bytes == 0 ? 1 : bytes, kCacheLineBytes);
    data_ = static_cast<std::byte*>(std::aligned_alloc(kCacheLineBytes, rounded));
    if (!data_) throw std::bad_alloc();
  }
}

HostBuffer::~HostBuffer() {
  if (mapped_bytes_ > 0) {
    munmap(data_, mapped_bytes_);
  } else {
    std::free(data_);
  }
}

HostBuffer::HostBuffer(HostBuffer&& other) noexcept
    : data_(std::exchange(other.data_, nullptr)),
      bytes_(std::exchange(other.bytes_, 0)),
      mapped_bytes_(std::exchange(other.mapped_bytes_, 0)) {}

HostBuffer& HostBuffer::operator=(HostBuffer&& other) noexcept {
  std::swap(data_, other.data_);
  std::swap(bytes_, other.bytes_);
  std::swap(mapped_bytes_, other.mapped_bytes_);
  return *this;
}

void poison(std::span<std::byte> bytes) {
  // Chunks of whole huge pages keep each page with one thread.
  const auto size = static_cast<std::int64_t>(bytes.size());
  constexpr auto kChunk = static_cast<std::int64_t>(kHugePageBytes);
#pragma omp parallel for schedule(static)
  for (std::int64_t begin = 0; begin < size; begin += kChunk) {
    std::memset(bytes.data() + begin, 0xFF,
                static_cast<std::size_t>(begin + kChunk < size ? kChunk : size - begin));
  }
}

}  // namespace breakeven
