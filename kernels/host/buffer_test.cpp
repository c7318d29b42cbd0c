#include "kernels/host/buffer.h"

#include <gtest/gtest.h>
#include <sys/mman.h>

#include <algorithm>
#include <cstdint>
#include <limits>
#include <new>
#include <utility>
#include <vector>

namespace breakeven {
namespace {

bool aligned(const void* address, std::size_t unit) {
  return reinterpret_cast<std::uintptr_t>(address) % unit == 0;
}

// How many 4 KiB pages of the buffer are in memory.
std::ptrdiff_t resident_pages(HostBuffer& buffer) {
  std::vector<unsigned char> pages((buffer.bytes() + 4095) / 4096);
  EXPECT_EQ(mincore(buffer.data(), buffer.bytes(), pages.data()), 0);
  return std::count_if(pages.begin(), pages.end(), [](unsigned char page) { return page & 1; });
}

TEST(HostBuffer, SmallOnesStartAtACacheLine) {
  for (const std::size_t bytes : {0, 1, 63, 64, 65, 4096, 100'000}) {
    HostBuffer buffer(bytes);
    EXPECT_TRUE(aligned(buffer.data(), kCacheLineBytes));
    EXPECT_EQ(buffer.bytes(), bytes);
    poison(buffer.span());
  }
}

TEST(HostBuffer, BigOnesStartAtAHugePageUntouched) {
  for (const std::size_t extra : {0, 1, 4096}) {
    HostBuffer buffer(kHugePageBytes * 2 + extra);
    EXPECT_TRUE(aligned(buffer.data(), kHugePageBytes));
    EXPECT_EQ(resident_pages(buffer), 0);
    poison(buffer.span());
    EXPECT_GT(resident_pages(buffer), 0);
  }
}

TEST(HostBuffer, MovesItsMemory) {
  HostBuffer a(100);
  std::byte* data = a.data();
  HostBuffer b(std::move(a));
  EXPECT_EQ(b.data(), data);
  HostBuffer c(kHugePageBytes);
  c = std::move(b);
  EXPECT_EQ(c.data(), data);
  EXPECT_EQ(c.bytes(), 100u);
}

TEST(HostBuffer, ThrowsWhereThereIsNoMemory) {
  EXPECT_THROW(HostBuffer(std::size_t{1} << 62), std::bad_alloc);
  EXPECT_THROW(HostBuffer(std::numeric_limits<std::size_t>::max()), std::bad_alloc);
}

TEST(Poison, WritesEveryByte) {
  for (const std::size_t bytes : {std::size_t{1}, std::size_t{4097}, kHugePageBytes * 3 + 5}) {
    HostBuffer buffer(bytes);
    poison(buffer.span());
    EXPECT_TRUE(std::all_of(buffer.data(), buffer.data() + bytes,
                            [](std::byte value) { return value == std::byte{0xFF}; }));
  }
}

}  // namespace
}  // namespace breakeven
