// A workload, kernels and a device whose behaviour and clock tests choose.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "kernels/kernel.h"

namespace breakeven::testing {

/// Four f64 numbers whose answer is 1 2 3 4; the limit is 1e-9.
class FakeWorkload : public Workload {
 public:
  explicit FakeWorkload(std::string shape = "four", std::string op = "fake")
      : Workload(std::move(op), std::move(shape)) {}

  std::vector<std::pair<std::string, std::int64_t>> dimensions() const override;
  Cost cost(Precision) const override { return {100, 64}; }
  std::vector<Operand> inputs(Precision) const override;
  Operand output(Precision) const override { return {"y", ElementType::f64, 4}; }
  void fill_input(std::size_t, Precision, std::span<std::byte> out) const override;
  Check check(Precision, std::span<const std::byte> answer) const override;
  std::size_t check_bytes(Precision) const override { return 16; }
};

/// What a fake kernel does with its output, given how often it ran before.
using Behaviour = std::function<void(std::vector<double>& output, int earlier_runs)>;

Behaviour right();         ///< 1 2 3 4
Behaviour wrong();         ///< one element is off by 0.5
Behaviour nan();           ///< one element is NaN
Behaviour throwing();      ///< throws on the first run
Behaviour stale();         ///< right the first time, then leaves the output as it is
Behaviour accumulating();  ///< right the first time, then adds to what it kept
Behaviour unsupporting();  ///< throws Unsupported

class FakeKernel : public Kernel {
 public:
  explicit FakeKernel(Behaviour behaviour) : behaviour_(std::move(behaviour)), output_(4) {}
  void run() override { behaviour_(output_, runs_++); }
  void poison_output() override;
  std::span<const std::byte> output() override { return std::as_bytes(std::span(output_)); }
  Transfers time_transfers() override { return {1e-3, 2e-3, std::nullopt, std::nullopt}; }
  Facts facts() const override { return {{"isa", "fake"}, {"tile", "4"}}; }

 private:
  Behaviour behaviour_;
  std::vector<double> output_;
  int runs_ = 0;
};

/// A device with a clock of its own: a call takes `seconds_per_call`, and no test waits for it.
class FakeDevice : public Device {
 public:
  std::string kind_name = "cpu";
  double seconds_per_call = 1e-3;
  std::function<Batch(Batch)> distort = [](Batch batch) { return batch; };  ///< of every batch
  bool replays = true;      ///< false: only the first batch runs the kernel, like an empty graph
  std::int64_t passes = 1;  ///< how often the device makes the calls of a batch
  std::size_t available = 1 << 20;
  std::optional<double> joules;  ///< the counter, advanced by `watts` with each batch
  double watts = 10;
  std::optional<std::size_t> peak;
  std::vector<std::int64_t> batches;  ///< the calls of every batch so far
  Options configured;

  std::string kind() const override { return kind_name; }
  Facts facts() const override { return {{"fake.device", "yes"}}; }
  void configure(const Options& options) override { configured = options; }
  Batch time(Kernel& kernel, std::int64_t calls) override;
  double resolution_seconds() const override { return 1e-9; }
  std::size_t available_bytes() const override { return available; }
  std::optional<std::size_t> peak_bytes() const override { return peak; }
  std::optional<double> energy_joules() override { return joules; }
};

Implementation fake_implementation(std::string name, Behaviour behaviour);

/// A case of FakeWorkload with an implementation, both of which it owns.
struct FakeCase {
  explicit FakeCase(Behaviour behaviour, std::string name = "fake_kernel");
  FakeWorkload workload;
  Implementation implementation;
  Case what;
};

}  // namespace breakeven::testing
