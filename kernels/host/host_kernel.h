// What every CPU implementation shares: operands in host memory.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "kernels/host/buffer.h"
#include "kernels/kernel.h"

namespace breakeven {

/// Holds the inputs, filled, and the poisoned output; all of it first touched by the threads of the
/// team that Device::configure() set up. The workload must outlive the kernel.
class HostKernel : public Kernel {
 public:
  HostKernel(const Workload& workload, Precision precision)
      : output_(workload.output(precision).bytes()) {
    const std::vector<Operand> operands = workload.inputs(precision);
    for (std::size_t i = 0; i < operands.size(); ++i) {
      inputs_.emplace_back(operands[i].bytes());
      workload.fill_input(i, precision, inputs_.back().span());
    }
    poison(output_.span());
  }

  void poison_output() override { poison(output_.span()); }
  std::span<const std::byte> output() override { return {output_.data(), output_.bytes()}; }

 protected:
  HostBuffer& input(std::size_t index) { return inputs_[index]; }
  HostBuffer& result() { return output_; }

 private:
  std::vector<HostBuffer> inputs_;
  HostBuffer output_;
};

}  // namespace breakeven
