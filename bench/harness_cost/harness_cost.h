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
#include "reference/workload.h"

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

/// The operands of a workload, the inputs filled as it says.
struct BareOperands {
  BareOperands(const Workload& workload, Precision precision, Memory memory);
  std::vector<BareArray> inputs;
  BareArray output;
};

/// A loop around the library's call.
struct BareLoop {
  std::function<double(std::int64_t calls)> seconds;  ///< of so many library calls
  /// Where a row chooses among ways by timing them: takes the way of the row with these facts of
  /// its Kernel, and answers with the same facts of its own. Throws std::runtime_error where it has
  /// no such way. Empty where there is one way only.
  std::function<Facts(const Facts& row)> follow = {};
};

/// One comparison: a row's implementation, and how to make a bare loop that does the same.
struct Subject {
  std::string implementation;  ///< "onednn_packed"
  Precision precision;
  std::function<BareLoop(const Workload&, Memory)> make_loop;
};

/// What one program compares.
struct Study {
  std::string module;
  std::string option;                  ///< of the command line, for its workloads: "--sizes"
  std::string help;                    ///< of that option
  std::vector<std::string> workloads;  ///< by default
  /// Throws std::runtime_error with one line where there is no such workload.
  std::function<std::unique_ptr<Workload>(const std::string&)> find;
  std::function<std::vector<Subject>(const Module&)> subjects;  ///< called on the open module
};

/// Square products by the edge, as the programs that study matmul have them.
Study matmul_study(const std::string& module,
                   std::function<std::vector<Subject>(const Module&)> subjects);

/// The `main` of all programs. Returns the exit status: 1 if an interval over memory as in rows
/// leaves 1 +- 1.5 %, 2 for bad usage or where the module can't be opened.
int harness_cost_main(int argc, char** argv, const Study& study);

}  // namespace breakeven
