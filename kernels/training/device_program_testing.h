// For tests of programs on the emulator: memory, tiny models, and a step's inputs and answer.
#pragma once

#include <cstring>
#include <map>
#include <memory>
#include <new>
#include <stdexcept>
#include <vector>

#include "kernels/training/device_program.h"
#include "reference/training/training_step.h"

namespace breakeven::training {

// The ladders of mma.sync and of wgmma; few multiprocessors, so that small products fill them.
inline constexpr Gpu kAmpere = {.compute_capability = 80, .sms = 4};
inline constexpr Gpu kHopper = {.compute_capability = 90, .sms = 2};

// Blocks of their exact size, so that AddressSanitizer sees any access outside them, of NaN at
// first. While its stream records, as under a GPU's capture, it can only be launched on.
class EmulatorMemory final : public ProgramMemory {
 public:
  void* allocate(std::size_t bytes) override {
    count_call();
    allocated.push_back(bytes);
    blocks_.emplace_back(static_cast<std::byte*>(::operator new(bytes, kAligned)));
    std::memset(blocks_.back().get(), 0xFF, bytes);
    return blocks_.back().get();
  }
  void upload(void* to, std::span<const std::byte> from) override {
    count_call();
    std::memcpy(to, from.data(), from.size());
  }
  void download(std::span<std::byte> to, const void* from) override {
    count_call();
    std::memcpy(to.data(), from, to.size());
  }
  void fill(void* to, std::size_t bytes, int value) override {
    count_call();
    std::memset(to, value, bytes);
  }
  Stream stream() const override { return {recording}; }

  int calls = 0;
  std::vector<std::size_t> allocated;  // bytes
  std::vector<simt::RecordedLaunch>* recording = nullptr;

 private:
  void count_call() {
    ++calls;
    if (recording != nullptr) throw std::logic_error("memory was used while a graph was captured");
  }

  static constexpr std::align_val_t kAligned{256};
  struct Free {
    void operator()(std::byte* block) const { ::operator delete(block, kAligned); }
  };
  std::vector<std::unique_ptr<std::byte, Free>> blocks_;
};

inline Mlp tiny_mlp() { return {.batch = 9, .widths = {20, 24, 17, 10}}; }
inline Lenet tiny_lenet() { return {.batch = 2, .side = 8}; }
inline Resnet tiny_resnet() {
  return {.batch = 2, .side = 8, .classes = 5, .blocks = {1, 1}, .width = 8};
}
inline Gpt tiny_gpt() {
  return {.batch = 2, .steps = 9, .layers = 2, .width = 64, .heads = 2, .vocabulary = 37};
}

inline std::unique_ptr<DeviceProgram> make_program(
    const Graph& graph, Precision precision, bool fused = true,
    std::unique_ptr<DeviceProducts> products = handwritten_products(), const Gpu& gpu = kAmpere) {
  return std::make_unique<DeviceProgram>(graph, precision, gpu, fused, std::move(products),
                                         std::make_unique<EmulatorMemory>());
}

inline void fill_inputs(const TrainingStep& step, Precision precision, Program& program) {
  const std::vector<Operand> inputs = step.inputs(precision);
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    std::vector<std::byte> values(inputs[i].bytes());
    step.fill_input(i, precision, values);
    program.write(step.source(i), values);
  }
}

inline std::vector<std::byte> answer_of(const TrainingStep& step, Precision precision,
                                        Program& program) {
  std::vector<std::byte> answer(step.output(precision).bytes());
  std::map<TensorId, std::vector<float>> values;
  step.write_answer(precision, answer, [&](TensorId id, std::int64_t element) {
    std::vector<float>& of = values[id];
    if (of.empty()) of = program.read(id);
    return static_cast<double>(of[static_cast<std::size_t>(element)]);
  });
  return answer;
}

}  // namespace breakeven::training
