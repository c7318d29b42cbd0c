// Where a program's tensors lie: a GPU's memory, or the host's for kernels on the emulator.
#pragma once

#include <cstddef>
#include <span>

#include "kernels/cuda/launch.h"

namespace breakeven::training {

class ProgramMemory {
 public:
  virtual ~ProgramMemory() = default;

  /// Uninitialised, aligned to 256 bytes; it lives as long as this object. Throws where there is
  /// too little.
  virtual void* allocate(std::size_t bytes) = 0;

  /// Both wait until what was enqueued before is over, and until the copy is.
  virtual void upload(void* to, std::span<const std::byte> from) = 0;
  virtual void download(std::span<std::byte> to, const void* from) = 0;

  /// Enqueues that every byte becomes `value`.
  virtual void fill(void* to, std::size_t bytes, int value) = 0;

  /// What everything is enqueued on.
  virtual Stream stream() const = 0;
};

}  // namespace breakeven::training
