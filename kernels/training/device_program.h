// A graph as launches on a GPU, or on the emulator.
#pragma once

#include <array>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "kernels/training/device_products.h"
#include "kernels/training/program.h"

namespace breakeven::training {

/// See Program. In bf16 a parameter without an update has its working copy alone, which read()
/// refuses. run() only enqueues, the same launches each time, so it can be captured.
class DeviceProgram final : public Program {
 public:
  /// `graph` must outlive it. Throws Unsupported where an operation has no kernel for its size.
  DeviceProgram(const Graph& graph, Precision precision, const Gpu& gpu, bool fused,
                std::unique_ptr<DeviceProducts> products, std::unique_ptr<ProgramMemory> memory);

  void write(TensorId id, std::span<const std::byte> values) override;
  std::vector<float> read(TensorId id) override;
  void run() override;
  void run(Phase phase) override;
  void poison(Phase phase) override;
  void advance() override;
  void set_step(std::int64_t step) override;
  Facts facts() const override;

 private:
  void compile(bool exchanged);
  TensorId place(TensorId id) const { return tensors_.place(id, exchanged_); }

  const Graph& graph_;
  Precision precision_;
  Gpu gpu_;
  bool fused_;
  std::unique_ptr<DeviceProducts> products_;
  std::unique_ptr<ProgramMemory> memory_;
  DeviceTensors tensors_;
  std::array<std::array<DevicePhase, 3>, 2> phases_;  // as built, and exchanged
  std::array<bool, 2> compiled_ = {};
  bool exchanged_ = false;
  std::map<std::string, std::set<std::string>> facts_;
};

/// Bytes of the workspace of such a program, found without memory and without preparing what has
/// workspace. `products` must choose without trials. Throws Unsupported as the program does.
std::size_t device_workspace_bytes(const Graph& graph, Precision precision, const Gpu& gpu,
                                   bool fused, DeviceProducts& products);

}  // namespace breakeven::training
