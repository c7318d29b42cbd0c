#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <cstring>
#include <vector>

#include "kernels/host/kernel_check.h"
#include "kernels/stream/elementwise.h"
#include "reference/stream.h"

namespace breakeven::stream {
void openmp(Registry& registry);

namespace {

constexpr std::array kKinds = {Stream::Kind::copy, Stream::Kind::scale, Stream::Kind::add,
                               Stream::Kind::triad, Stream::Kind::gelu};

TEST(OpenmpStream, IsRightForEveryKindAndRaggedSize) {
  Registry registry;
  openmp(registry);
  const Implementation& openmp = find_implementation(registry, "openmp");
  const int all = static_cast<int>(usable_cpus().size());
  int threads = 1;
  for (const Stream::Kind kind : kKinds) {
    for (const std::int64_t bytes : {8, 64, 72, 4088, 100'008, 2'500'000, 2'097'160}) {
      const Stream stream("s", kind, bytes);
      threads = all + 1 - threads;  // one and all in turn
      for (const Precision precision : {Precision::f32, Precision::f64}) {
        expect_kernel(openmp, stream, precision, threads);
      }
    }
  }
}

TEST(OpenmpStream, AllocatesNothing) {
  Registry registry;
  openmp(registry);
  expect_no_allocation(find_implementation(registry, "openmp"),
                       Stream("s", Stream::Kind::triad, 100'008), Precision::f32, Allocates::never);
}

TEST(OpenmpStream, SaysWhichStoresItChose) {
  Registry registry;
  openmp(registry);
  const Stream stream("s", Stream::Kind::copy, 1 << 16);
  const auto kernel =
      find_implementation(registry, "openmp").load(stream, Precision::f32, {.threads = 1});
  kernel->prepare();
  const std::string stores = kernel->facts().at("stores");
  EXPECT_TRUE(stores == "regular" || stores == "non-temporal") << stores;
}

// Far beyond [-1, 1], where exp() would overflow, gelu is 0 or the identity; and both kinds of
// store give the same bits.
template <class T>
void expect_gelu_far_out(double tolerance) {
  HostBuffer in(4096 * sizeof(T)), out(4096 * sizeof(T)), other(4096 * sizeof(T));
  for (int i = 0; i < 4096; ++i) in.as<T>()[i] = static_cast<T>((i - 2048) * 0.05);
  find_loop<T>(Stream::Kind::gelu, Store::regular)(in.as<T>(), nullptr, out.as<T>(), 0, 4096);
  find_loop<T>(Stream::Kind::gelu, Store::non_temporal)(in.as<T>(), nullptr, other.as<T>(), 0,
                                                        4096);
  EXPECT_EQ(std::memcmp(out.data(), other.data(), out.bytes()), 0);
  for (int i = 0; i < 4096; ++i) {
    const double x = static_cast<double>(in.as<T>()[i]);
    const double expected =
        0.5 * x * (1 + std::tanh(0.79788456080286535588 * (x + 0.044715 * x * x * x)));
    EXPECT_NEAR(static_cast<double>(out.as<T>()[i]), expected, tolerance * std::fabs(x)) << x;
  }
}

TEST(Elementwise, GeluHoldsOverTheWholeRange) {
  expect_gelu_far_out<float>(1e-6);
  expect_gelu_far_out<double>(1e-15);
}

}  // namespace
}  // namespace breakeven::stream
