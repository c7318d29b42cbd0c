// copy, scale, add, triad and gelu by all threads. Bound by memory bandwidth once the arrays
// outgrow the caches. There, non-temporal stores save the read of the line that is overwritten (a
// third of copy's real traffic, a quarter of triad's); in cache they cost several times as much as
// regular ones. Which pays depends on the caches that this process really gets, so prepare() times
// both and keeps the faster; facts() says which.
#include <omp.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <memory>
#include <string>

#include "kernels/host/host_kernel.h"
#include "kernels/stream/elementwise.h"
#include "reference/stream.h"

namespace breakeven::stream {

void openmp(Registry& registry);

namespace {

template <class T>
class OpenmpStream final : public HostKernel {
 public:
  OpenmpStream(const Stream& stream, Precision precision)
      : HostKernel(stream, precision),
        kind_(stream.kind),
        elements_(stream.elements(precision)),
        has_b_(stream.has_b()),
        loop_(find_loop<T>(kind_, Store::regular)) {}

  // Alternating, and the best of several, because noise only ever adds.
  void prepare() override {
    constexpr int kRepeats = 4;
    std::array<double, 2> seconds = {1e9, 1e9};
    for (int repeat = 0; repeat < kRepeats; ++repeat) {
      for (const Store store : {Store::regular, Store::non_temporal}) {
        loop_ = find_loop<T>(kind_, store);
        run();  // brings the caches into the state that this store leaves
        const auto start = std::chrono::steady_clock::now();
        run();
        const std::chrono::duration<double> elapsed = std::chrono::steady_clock::now() - start;
        double& best = seconds[static_cast<std::size_t>(store)];
        best = std::min(best, elapsed.count());
      }
    }
    store_ = seconds[1] < seconds[0] ? Store::non_temporal : Store::regular;
    loop_ = find_loop<T>(kind_, store_);
    poison_output();
  }

  // Chunks of whole cache lines: no line belongs to two threads.
  void run() override {
    const T* a = input(0).template as<T>();
    const T* b = has_b_ ? input(1).template as<T>() : nullptr;
    T* c = result().template as<T>();
#pragma omp parallel
    {
      constexpr std::int64_t kLine = 64 / sizeof(T);
      const std::int64_t lines = (elements_ + kLine - 1) / kLine;
      const std::int64_t thread = omp_get_thread_num(), threads = omp_get_num_threads();
      const std::int64_t begin = lines * thread / threads * kLine;
      const std::int64_t end = std::min(lines * (thread + 1) / threads * kLine, elements_);
      loop_(a, b, c, begin, end);
    }
  }

  Facts facts() const override {
    return {{"stores", store_ == Store::regular ? "regular" : "non-temporal"}};
  }

 private:
  Stream::Kind kind_;
  std::int64_t elements_;
  bool has_b_;
  Store store_ = Store::regular;
  Loop<T> loop_;
};

}  // namespace

void openmp(Registry& registry) {
  Implementation openmp;
  openmp.op = "stream";
  openmp.name = "openmp";
  openmp.precisions = {Precision::f32, Precision::f64};
  openmp.load = [](const Workload& workload, Precision precision,
                   const Options&) -> std::unique_ptr<Kernel> {
    const auto& stream = static_cast<const Stream&>(workload);
    if (precision == Precision::f64)
      return std::make_unique<OpenmpStream<double>>(stream, precision);
    return std::make_unique<OpenmpStream<float>>(stream, precision);
  };
  registry.add(std::move(openmp));
}

}  // namespace breakeven::stream
