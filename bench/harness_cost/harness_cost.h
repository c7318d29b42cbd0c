// What does the harness cost? Times the path of a row (module, Kernel, Device::time) against a bare
// loop around the same library call, in interleaved pairs of one process.
//
// These programs are no part of the suite: they are the only place outside kernels/ that includes a
// vendor's header, because the bare loop must owe nothing to the code that it judges.
#pragma once

#include <cstdint>
#include <cstdlib>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "kernels/host/buffer.h"
#include "kernels/module.h"
#include "reference/matmul.h"

namespace breakeven {

/// Where a bare loop's operands lie: in memory as the harness allocates it (huge pages from 2 MiB
/// on, first touched in parallel), or in what std::aligned_alloc gives.
enum class Memory { as_in_rows, plain };

/// One array of a bare loop.
class BareArray {
 public:
  BareArray(std::size_t bytes, Memory memory);
  void* data() { return plain_ ? plain_.get() : buffer_.data(); }
  std::span<std::byte> span() { return {static_cast<std::byte*>(data()), bytes_}; }

 private:
  struct Free {
    void operator()(void* memory) const { std::free(memory); }
  };
  std::size_t bytes_;
  HostBuffer buffer_;
  std::unique_ptr<void, Free> plain_;
};

/// A, B and C of a product, filled as the workload says.
struct BareOperands {
  BareOperands(const Matmul& size, Precision precision, Memory memory);
  BareArray a, b, c;
};

/// A bare loop: seconds of `calls` library calls.
using BareLoop = std::function<double(std::int64_t calls)>;

/// One comparison: a row's implementation, and how to make a bare loop that does the same.
struct Subject {
  std::string implementation;  ///< "onednn_packed"
  Precision precision;
  std::function<BareLoop(const Matmul&, Memory)> make_loop;
};

/// The `main` of both programs. `subjects` is called once the module is open. Returns the exit
/// status: 1 if an interval over memory as in rows leaves 1 +- 1.5 %, 2 for bad usage or where the
/// module can't be opened.
int harness_cost_main(int argc, char** argv, const std::string& module,
                      const std::function<std::vector<Subject>(const Module&)>& subjects);

}  // namespace breakeven
