// The templates of kernels/simt/scheduler.h; include that.
#pragma once

#include <type_traits>

namespace breakeven::simt {

namespace detail {

using Predicate = bool (*)(void* context);
void wait_until(const char* what, Predicate ready, void* context);

/// Threads [first, first + 32 or 128) of the block; `deposits` has one entry for each.
using Compute = void (*)(void* context, void* const* deposits);
void collective(const char* operation, int width, std::uint32_t mask, bool all_alive, void* mine,
                Compute compute, void* context);

template <class Deposit, class F>
void collect(const char* operation, int width, std::uint32_t mask, bool all_alive, Deposit& mine,
             F& compute) {
  collective(
      operation, width, mask, all_alive, &mine,
      [](void* context, void* const* deposits) {
        (*static_cast<F*>(context))(reinterpret_cast<Deposit* const*>(deposits));
      },
      &compute);
}

}  // namespace detail

template <class Ready>
void wait_until(const char* what, Ready&& ready) {
  using Callable = std::remove_reference_t<Ready>;
  auto* callable = const_cast<std::remove_const_t<Callable>*>(&ready);
  detail::wait_until(
      what, [](void* context) { return static_cast<bool>((*static_cast<Callable*>(context))()); },
      callable);
}

template <class Deposit, class Compute>
void warp_collective(const char* operation, std::uint32_t mask, Deposit& mine, Compute&& compute) {
  detail::collect(operation, 32, mask, false, mine, compute);
}

template <class Deposit, class Compute>
void full_warp_collective(const char* operation, Deposit& mine, Compute&& compute) {
  detail::collect(operation, 32, 0xffffffffu, true, mine, compute);
}

template <class Deposit, class Compute>
void warpgroup_collective(const char* operation, Deposit& mine, Compute&& compute) {
  detail::collect(operation, 128, 0xffffffffu, true, mine, compute);
}

}  // namespace breakeven::simt
