// One loop's text, compiled for SSE2, AVX2 and AVX-512: the project's baseline has none of the wide
// units, and a target attribute belongs to a function, not to a template's argument.
#pragma once

#include "kernels/host/features.h"

namespace breakeven::training {

enum class Isa { sse2, avx2, avx512 };

/// The widest that this CPU can execute.
inline Isa best_isa() {
  if (cpu_features().avx512) return Isa::avx512;
  return cpu_features().avx2 ? Isa::avx2 : Isa::sse2;
}

/// What run_loop() takes. Tests lower it, so that one machine tests them all.
inline Isa& active_isa() {
  static Isa isa = best_isa();
  return isa;
}

namespace detail {

template <class Loop, class... Args>
[[gnu::target("avx512f,avx512dq,avx512bw,avx512vl,prefer-vector-width=512")]] auto on_avx512(
    Args... args) {
  return Loop::run(args...);
}

template <class Loop, class... Args>
[[gnu::target("avx2,fma")]] auto on_avx2(Args... args) {
  return Loop::run(args...);
}

template <class Loop, class... Args>
auto on_sse2(Args... args) {
  return Loop::run(args...);
}

}  // namespace detail

/// Calls Loop::run(args...), a static function marked [[gnu::always_inline]], as compiled for the
/// active instruction set. What it calls must be inlined too: no lambdas, no library functions.
template <class Loop, class... Args>
auto run_loop(Args... args) {
  switch (active_isa()) {
    case Isa::avx512:
      return detail::on_avx512<Loop, Args...>(args...);
    case Isa::avx2:
      return detail::on_avx2<Loop, Args...>(args...);
    default:
      return detail::on_sse2<Loop, Args...>(args...);
  }
}

}  // namespace breakeven::training
