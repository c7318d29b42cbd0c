// For tests: runs one rung on the emulator and judges the answer by the reference. The buffers have
// their exact size, so that AddressSanitizer sees any access outside them, and hold NaN (0xFF)
// until they are written, the workspace too.
#pragma once

#include <fmt/format.h>

#include <cstring>
#include <memory>
#include <new>
#include <span>
#include <stdexcept>
#include <string>
#include <vector>

#include "kernels/conv2d/conv.h"
#include "kernels/cuda/primitives.h"

namespace breakeven::conv2d {

struct ConvCase {
  Conv2dSize size;
  Conv2dOp op = Conv2dOp::forward;
  Conv2dLayout layout = Conv2dLayout::nhwc;
  std::uint64_t seed = 1;  ///< of the emulator's thread order
  Gpu gpu = {90, 132};
  int tiling = -1;
  int offset = 0;  ///< elements by which every tensor's start is off a 256-byte boundary
};

inline std::string to_string(const ConvCase& c) {
  const Conv2dSize& s = c.size;
  return fmt::format(
      "{}{} n {} c {} h {} w {} k {} r {} s {} pad {} {} stride {} {} dilation {} {} groups {} "
      "seed {} tiling {} offset {}",
      conv2d_op_name(c.op), c.layout == Conv2dLayout::nchw ? " nchw" : "", s.n, s.c, s.h, s.w, s.k,
      s.r, s.s, s.pad_h, s.pad_w, s.stride_h, s.stride_w, s.dilation_h, s.dilation_w, s.groups,
      c.seed, c.tiling, c.offset);
}

namespace detail {

/// Memory as cudaMalloc gives it, of exactly `bytes`, filled with 0xFF; what is used starts
/// `offset` bytes in.
class TestBuffer {
 public:
  TestBuffer(std::size_t bytes, std::size_t offset)
      : bytes_(bytes),
        offset_(offset),
        data_(static_cast<std::byte*>(::operator new(bytes + offset, std::align_val_t(256)))) {
    std::memset(data_, 0xFF, bytes + offset);
  }
  ~TestBuffer() { ::operator delete(data_, std::align_val_t(256)); }
  TestBuffer(const TestBuffer&) = delete;
  TestBuffer& operator=(const TestBuffer&) = delete;

  std::span<std::byte> span() { return {data_ + offset_, bytes_}; }

 private:
  std::size_t bytes_;
  std::size_t offset_;
  std::byte* data_;
};

}  // namespace detail

/// Runs it once. Throws simt::Fault where the kernel misuses the machine, and std::invalid_argument
/// where the rung doesn't support the case. `answer` gets the output's bytes.
inline Check run_rung(const Rung& rung, const ConvCase& test,
                      std::vector<std::byte>* answer = nullptr) {
  using detail::TestBuffer;
  const Conv2d workload("test", test.size, test.op, test.layout);
  Conv conv{test.size, test.op, test.layout};
  conv.tiling = test.tiling;
  std::vector<std::unique_ptr<TestBuffer>> inputs;
  const std::vector<Operand> operands = workload.inputs(rung.precision);
  for (std::size_t i = 0; i < operands.size(); ++i) {
    inputs.push_back(std::make_unique<TestBuffer>(operands[i].bytes(),
                                                  test.offset * element_bytes(operands[i].type)));
    workload.fill_input(i, rung.precision, inputs[i]->span());
    conv.inputs[i] = inputs[i]->span().data();
  }
  const Operand result = workload.output(rung.precision);
  TestBuffer output(result.bytes(), test.offset * element_bytes(result.type));
  conv.output = output.span().data();
  const std::string reason = unsupported_reason(rung, conv, test.gpu);
  if (!reason.empty()) throw std::invalid_argument(std::string(rung.name) + ": " + reason);

  TestBuffer workspace(rung.workspace_bytes(conv, test.gpu), 0);
  simt::settings().seed = test.seed;
  rung.prepare(conv, workspace.span().data(), test.gpu).enqueue(Stream{});

  if (answer != nullptr) answer->assign(output.span().begin(), output.span().end());
  return workload.check(rung.precision, output.span());
}

}  // namespace breakeven::conv2d
