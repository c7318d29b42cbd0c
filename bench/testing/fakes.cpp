#include "bench/testing/fakes.h"

#include <cmath>
#include <cstring>
#include <limits>

namespace breakeven::testing {
namespace {

void write_answer(std::vector<double>& output) { output = {1, 2, 3, 4}; }

}  // namespace

std::vector<std::pair<std::string, std::int64_t>> FakeWorkload::dimensions() const {
  return {{"elements", 4}};
}

std::vector<Operand> FakeWorkload::inputs(Precision) const { return {{"x", ElementType::f64, 4}}; }

void FakeWorkload::fill_input(std::size_t, Precision, std::span<std::byte> out) const {
  std::memset(out.data(), 0, out.size());
}

Check FakeWorkload::check(Precision, std::span<const std::byte> answer) const {
  double worst = 0;
  for (std::size_t i = 0; i < 4; ++i) {
    const double error =
        std::abs(load_element(ElementType::f64, answer.data(), i) - static_cast<double>(i + 1));
    if (!(error <= worst))
      worst = std::isfinite(error) ? error : std::numeric_limits<double>::infinity();
  }
  return {worst, 1e-9, "full fp64"};
}

Behaviour right() {
  return [](std::vector<double>& output, int) { write_answer(output); };
}

Behaviour wrong() {
  return [](std::vector<double>& output, int) {
    write_answer(output);
    output[2] += 0.5;
  };
}

Behaviour nan() {
  return [](std::vector<double>& output, int) {
    write_answer(output);
    output[3] = std::numeric_limits<double>::quiet_NaN();
  };
}

Behaviour throwing() {
  return [](std::vector<double>&, int) { throw std::runtime_error("the kernel broke"); };
}

Behaviour stale() {
  return [](std::vector<double>& output, int earlier_runs) {
    if (earlier_runs == 0) write_answer(output);
  };
}

Behaviour accumulating() {
  return [](std::vector<double>& output, int earlier_runs) {
    std::vector<double> before = output;
    write_answer(output);
    // Skips poison, as a kernel with beta != 0 and a private copy of its output would.
    for (std::size_t i = 0; earlier_runs > 0 && i < 4; ++i) {
      output[i] += std::isfinite(before[i]) ? before[i] : 0;
    }
  };
}

Behaviour unsupporting() {
  return [](std::vector<double>&, int) { throw Unsupported("not on this machine"); };
}

void FakeKernel::poison_output() {
  std::memset(output_.data(), 0xFF, output_.size() * sizeof(double));
}

Batch FakeDevice::time(Kernel& kernel, std::int64_t calls) {
  batches.push_back(calls);
  // The clock is false, so a few calls stand for all.
  for (std::int64_t call = 0; call < std::min<std::int64_t>(calls, 4); ++call) {
    if (batches.size() == 1 || replays) kernel.run();
  }
  Batch batch;
  batch.seconds = seconds_per_call * static_cast<double>(calls);
  batch.host_seconds = batch.seconds * 1.25;
  batch.calls_run = passes * calls;
  if (joules) *joules += watts * batch.host_seconds * static_cast<double>(passes);
  return distort(batch);
}

Implementation fake_implementation(std::string name, Behaviour behaviour) {
  Implementation implementation;
  implementation.op = "fake";
  implementation.name = std::move(name);
  implementation.precisions = {Precision::f64};
  implementation.footprint_bytes = [](const Workload& workload, Precision precision,
                                      const Options&) {
    return operand_bytes(workload, precision);
  };
  implementation.load = [behaviour = std::move(behaviour)](const Workload&, Precision,
                                                           const Options&) {
    return std::make_unique<FakeKernel>(behaviour);
  };
  return implementation;
}

FakeCase::FakeCase(Behaviour behaviour, std::string name)
    : implementation(fake_implementation(name, std::move(behaviour))) {
  what.name = "fake/four/cpu/" + name + "/f64";
  what.workload = &workload;
  what.implementation = &implementation;
  what.precision = Precision::f64;
  what.options.threads = 1;
}

}  // namespace breakeven::testing
