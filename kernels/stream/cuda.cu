// Memory bandwidth of the GPU. Bounded by HBM: 16-byte loads and stores, and a persistent grid that
// fills every SM once, so that enough bytes are in flight and no tail of blocks runs alone.
#include <algorithm>
#include <memory>
#include <stdexcept>

#include "kernels/cuda/buffered_kernel.h"
#include "kernels/cuda/check.h"
#include "kernels/cuda/device.h"
#include "reference/stream.h"

namespace breakeven::stream {
namespace {

using Kind = Stream::Kind;

constexpr int kThreads = 256;
constexpr std::size_t kVectorBytes = 16;

/// What one instruction loads or stores.
template <class T>
struct alignas(kVectorBytes) Vector {
  static constexpr int kElements = kVectorBytes / sizeof(T);
  T values[kElements];
};

__device__ float hyperbolic_tangent(float x) { return tanhf(x); }
__device__ double hyperbolic_tangent(double x) { return tanh(x); }

template <class T>
__device__ T gelu(T x) {
  constexpr double kSqrt2OverPi = 0.79788456080286535588;
  constexpr double kCubic = 0.044715;
  const T inner = T(kSqrt2OverPi) * (x + T(kCubic) * x * x * x);
  return T(0.5) * x * (T(1) + hyperbolic_tangent(inner));
}

template <Kind kind, class T>
__device__ T apply(T a, T b, T scalar) {
  if constexpr (kind == Kind::copy) return a;
  if constexpr (kind == Kind::scale) return scalar * a;
  if constexpr (kind == Kind::add) return a + b;
  if constexpr (kind == Kind::triad) return a + scalar * b;
  if constexpr (kind == Kind::gelu) return gelu(a);
}

// c[i] = f(a[i], b[i]) for i < elements; b is null where the kind has none.
template <Kind kind, class T>
__global__ void __launch_bounds__(kThreads)
    elementwise(const T* __restrict__ a, const T* __restrict__ b, T* __restrict__ c, T scalar,
                std::int64_t elements) {
  constexpr bool kHasB = kind == Kind::add || kind == Kind::triad;
  constexpr int kWidth = Vector<T>::kElements;
  const std::int64_t first = std::int64_t{blockIdx.x} * blockDim.x + threadIdx.x;
  const std::int64_t stride = std::int64_t{gridDim.x} * blockDim.x;
  const std::int64_t vectors = elements / kWidth;
  const auto* va = reinterpret_cast<const Vector<T>*>(a);
  const auto* vb = reinterpret_cast<const Vector<T>*>(b);
  auto* vc = reinterpret_cast<Vector<T>*>(c);
  for (std::int64_t i = first; i < vectors; i += stride) {
    const Vector<T> x = va[i];
    Vector<T> y{};
    if constexpr (kHasB) y = vb[i];
    Vector<T> z;
#pragma unroll
    for (int j = 0; j < kWidth; ++j) {
      z.values[j] = apply<kind>(x.values[j], y.values[j], scalar);
    }
    vc[i] = z;
  }
  // Fewer than a vector's elements are left.
  const std::int64_t tail = vectors * kWidth + first;
  if (tail < elements) {
    T y = 0;
    if constexpr (kHasB) y = b[tail];
    c[tail] = apply<kind>(a[tail], y, scalar);
  }
}

class Handwritten final : public BufferedKernel {
 public:
  Handwritten(const Stream& stream, Precision precision)
      : BufferedKernel(stream, precision),
        kind_(stream.kind),
        has_b_(stream.has_b()),
        precision_(precision),
        elements_(stream.elements(precision)) {}

  void prepare() override {
    if (precision_ == Precision::f64) {
      prepare_type<double>();
    } else {
      prepare_type<float>();
    }
  }

  void run() override {
    if (precision_ == Precision::f64) {
      launch<double>();
    } else {
      launch<float>();
    }
  }

 private:
  template <class T>
  using Function = void (*)(const T*, const T*, T*, T, std::int64_t);

  template <class T>
  Function<T> function() const {
    switch (kind_) {
      case Kind::copy:
        return elementwise<Kind::copy, T>;
      case Kind::scale:
        return elementwise<Kind::scale, T>;
      case Kind::add:
        return elementwise<Kind::add, T>;
      case Kind::triad:
        return elementwise<Kind::triad, T>;
      case Kind::gelu:
        return elementwise<Kind::gelu, T>;
    }
    throw std::logic_error("stream: an unknown kind");
  }

  // One wave: as many blocks as the SMs hold at once, or fewer where the arrays are short.
  template <class T>
  void prepare_type() {
    int per_sm = 0;
    check(cudaOccupancyMaxActiveBlocksPerMultiprocessor(&per_sm, function<T>(), kThreads, 0));
    const std::int64_t vectors = elements_ / Vector<T>::kElements;
    const std::int64_t useful = std::max<std::int64_t>(1, (vectors + kThreads - 1) / kThreads);
    blocks_ = static_cast<unsigned>(
        std::min<std::int64_t>(useful, std::int64_t{per_sm} * device_info().sms));
  }

  template <class T>
  void launch() {
    function<T>()<<<blocks_, kThreads, 0, work_stream()>>>(
        input(0).as<T>(), has_b_ ? input(1).as<T>() : nullptr, result().as<T>(),
        static_cast<T>(Stream::kScalar), elements_);
    check(cudaGetLastError());
  }

  Kind kind_;
  bool has_b_;
  Precision precision_;
  std::int64_t elements_;
  unsigned blocks_ = 0;
};

}  // namespace

void cuda(Registry& registry) {
  Implementation implementation;
  implementation.op = "stream";
  implementation.name = "handwritten";
  implementation.precisions = {Precision::f32, Precision::f64};
  implementation.launches = {Launch::stream, Launch::graph};
  implementation.threaded = false;
  implementation.load = [](const Workload& workload, Precision precision, const Options&) {
    return std::make_unique<Handwritten>(static_cast<const Stream&>(workload), precision);
  };
  registry.add(std::move(implementation));
}

}  // namespace breakeven::stream
