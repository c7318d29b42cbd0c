// Stacks that take turns on one thread of the operating system, by Boost.Context's jumps.
#pragma once

#include <boost/context/detail/fcontext.hpp>
#include <cstddef>

namespace breakeven::simt {

/// One stack, suspended or running. The thread of the operating system that drives the others is a
/// fiber, too: one that start() was never called for. A fiber that was started lives as long as the
/// process.
class Fiber {
 public:
  using Main = void (*)();

  Fiber() = default;
  Fiber(const Fiber&) = delete;
  Fiber& operator=(const Fiber&) = delete;

  /// Gives the fiber a stack, which ends in a page that can't be touched; `main` must not return.
  /// `color` shifts the stack's begin, so that the fibers' hot pages don't share cache lines.
  void start(Main main, int color);
  /// Makes the calling thread's own stack this fiber.
  void adopt_current();

  /// Suspends `from`, which runs, and goes on with `to`; returns when somebody switches back.
  static void switch_to(Fiber& from, Fiber& to);

 private:
  static void enter(boost::context::detail::transfer_t transfer);

  boost::context::detail::fcontext_t context_ = nullptr;
  Main main_ = nullptr;
  const void* bottom_ = nullptr;  // for AddressSanitizer: where the running stack lies
  std::size_t bytes_ = 0;
  void* fake_stack_ = nullptr;
  void* tsan_fiber_ = nullptr;
};

}  // namespace breakeven::simt
