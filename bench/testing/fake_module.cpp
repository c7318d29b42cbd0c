// A kernel module for tests of the programs: competitors for matmul, most of which misbehave.
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstring>
#include <limits>
#include <memory>
#include <thread>
#include <vector>

#include "kernels/module.h"
#include "reference/matmul.h"

namespace breakeven {
namespace {

/// C = A B in f32 by three loops; what a behaviour does comes after it.
class PlainMatmul : public Kernel {
 public:
  using Then = void (*)(std::vector<float>& c);

  PlainMatmul(const Workload& workload, Then then)
      : matmul_(static_cast<const Matmul&>(workload)), then_(then) {
    a_.resize(static_cast<std::size_t>(matmul_.m * matmul_.k));
    b_.resize(static_cast<std::size_t>(matmul_.k * matmul_.n));
    c_.resize(static_cast<std::size_t>(matmul_.m * matmul_.n));
    matmul_.fill_input(0, Precision::f32, std::as_writable_bytes(std::span(a_)));
    matmul_.fill_input(1, Precision::f32, std::as_writable_bytes(std::span(b_)));
  }

  void run() override {
    for (std::int64_t i = 0; i < matmul_.m; ++i) {
      for (std::int64_t j = 0; j < matmul_.n; ++j) c_[index(i, j, matmul_.n)] = dot(i, j);
    }
    then_(c_);
  }

  void poison_output() override { std::memset(c_.data(), 0xFF, c_.size() * sizeof(float)); }
  std::span<const std::byte> output() override { return std::as_bytes(std::span(c_)); }
  Facts facts() const override { return {{"implementation", "fake"}}; }

 private:
  static std::size_t index(std::int64_t row, std::int64_t column, std::int64_t columns) {
    return static_cast<std::size_t>(row * columns + column);
  }

  float dot(std::int64_t i, std::int64_t j) const {
    float sum = 0;
    for (std::int64_t l = 0; l < matmul_.k; ++l) {
      sum += a_[matmul_.trans_a ? index(l, i, matmul_.m) : index(i, l, matmul_.k)] *
             b_[matmul_.trans_b ? index(j, l, matmul_.k) : index(l, j, matmul_.n)];
    }
    return sum;
  }

  const Matmul& matmul_;
  Then then_;
  std::vector<float> a_, b_, c_;
};

/// Dies as under the kernel's out-of-memory killer, without endangering the machine: touches 256
/// MiB and then kills itself, unless a limit on memory stops it first with std::bad_alloc.
void eat_memory(std::vector<float>&) {
  std::vector<std::unique_ptr<char[]>> eaten;
  constexpr std::size_t kChunkBytes = std::size_t{16} << 20;
  for (int chunk = 0; chunk < 16; ++chunk) {
    eaten.push_back(std::make_unique<char[]>(kChunkBytes));
    std::memset(eaten.back().get(), 1, kChunkBytes);
  }
  std::raise(SIGKILL);
}

void hang(std::vector<float>&) {
  for (;;) pause();
}

void crash(std::vector<float>&) {
  std::signal(SIGSEGV, SIG_DFL);  // a sanitizer's handler would turn it into an ordinary exit
  std::raise(SIGSEGV);
}

/// Ways that differ in their time, and one that is quick and wrong.
void make_tunable(Implementation& implementation) {
  implementation.ways = [](const Workload&, Precision) {
    return std::vector<std::string>{"slow", "wrong", "plain"};
  };
  implementation.load = [](const Workload& workload, Precision, const Options& options) {
    PlainMatmul::Then then = [](std::vector<float>&) {};
    if (options.way == "wrong") then = [](std::vector<float>& c) { c[c.size() / 2] += 1; };
    if (options.way == "slow") {
      then = [](std::vector<float>&) { std::this_thread::sleep_for(std::chrono::milliseconds(5)); };
    }
    return std::make_unique<PlainMatmul>(workload, then);
  };
}

void add_matmul(Registry& registry, const char* name, PlainMatmul::Then then) {
  Implementation implementation;
  implementation.op = "matmul";
  implementation.name = name;
  implementation.precisions = {Precision::f32};
  implementation.threaded = false;
  implementation.load = [then](const Workload& workload, Precision, const Options&) {
    return std::make_unique<PlainMatmul>(workload, then);
  };
  if (std::strcmp(name, "unavailable") == 0) {
    implementation.unsupported = [](const Workload&, Precision, const Options&) {
      return std::string("this competitor is never available");
    };
  }
  if (std::strcmp(name, "right") == 0) make_tunable(implementation);
  registry.add(std::move(implementation));
}

/// A step that computes nothing, and dies of batches above 300, though its footprint may allow
/// more.
class FakeStep : public Kernel {
 public:
  explicit FakeStep(const Workload& workload)
      : batch_(workload.dimensions()[0].second),
        answer_(workload.output(Precision::f32).elements) {}
  void run() override {
    if (batch_ > 300) std::raise(SIGKILL);
    std::fill(answer_.begin(), answer_.end(), 1.0F);
  }
  void poison_output() override {
    std::memset(answer_.data(), 0xFF, answer_.size() * sizeof(float));
  }
  std::span<const std::byte> output() override { return std::as_bytes(std::span(answer_)); }

 private:
  std::int64_t batch_;
  std::vector<float> answer_;
};

/// Batches above `most` are unsupported.
void add_step(Registry& registry, const char* name, std::size_t bytes_a_sample,
              const char* op = "training_step_lenet", std::int64_t most = 1 << 30) {
  Implementation implementation;
  implementation.op = op;
  implementation.name = name;
  implementation.precisions = {Precision::f32};
  implementation.caches = {Cache::warm};
  implementation.threaded = false;
  implementation.footprint_bytes = [bytes_a_sample](const Workload& workload, Precision,
                                                    const Options&) {
    return static_cast<std::size_t>(workload.dimensions()[0].second) * bytes_a_sample;
  };
  implementation.unsupported = [most](const Workload& workload, Precision, const Options&) {
    return std::string(workload.dimensions()[0].second > most ? "no such batch" : "");
  };
  implementation.load = [](const Workload& workload, Precision, const Options&) {
    return std::make_unique<FakeStep>(workload);
  };
  registry.add(std::move(implementation));
}

/// A table of one line a case, as "shape precision implementation way".
TuningTable tuning_table() {
  TuningTable table;
  table.op = "matmul";
  table.file = "kernels/matmul/fake_tuned.txt";
  table.shapes = {"ragged_1x1x1", "ragged_primes_7x11x13"};
  table.precisions = {Precision::f32};
  table.text = [](const std::vector<Tuned>& found) {
    std::string text;
    for (const Tuned& tuned : found) {
      text += tuned.workload->shape() + " " + std::string(traits(tuned.precision).name) + " " +
              tuned.implementation + " " + tuned.way + "\n";
    }
    return text;
  };
  return table;
}

void add_kernels(Registry& registry) {
  registry.add(tuning_table());
  add_matmul(registry, "right", [](std::vector<float>&) {});
  add_matmul(registry, "wrong", [](std::vector<float>& c) { c[c.size() / 2] += 1; });
  add_matmul(registry, "nan",
             [](std::vector<float>& c) { c.back() = std::numeric_limits<float>::quiet_NaN(); });
  add_matmul(registry, "throws",
             [](std::vector<float>&) { throw std::runtime_error("the kernel broke"); });
  add_matmul(registry, "unsupported_at_load",
             [](std::vector<float>&) { throw Unsupported("only a try could tell"); });
  add_matmul(registry, "hangs", hang);
  add_matmul(registry, "crashes", crash);
  add_matmul(registry, "slow", [](std::vector<float>&) {
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
  });
  add_matmul(registry, "unavailable", [](std::vector<float>&) {});
  add_matmul(registry, "eats_memory", eat_memory);
  add_step(registry, "dies", std::size_t{1} << 20);
  add_step(registry, "fits", std::size_t{10} << 20);
  add_step(registry, "huge", std::size_t{1} << 31);
  add_step(registry, "few", std::size_t{1} << 20, "training_step_lenet", 40);
  add_step(registry, "none", std::size_t{1} << 20, "training_step_lenet", 0);
  add_step(registry, "fits", std::size_t{10} << 20, "training_step_resnet18");
  add_step(registry, "huge", std::size_t{1} << 31, "training_step_resnet18");
}

class WallClock : public Device {
 public:
  std::string kind() const override { return "cpu"; }
  Facts facts() const override { return {{"fake.device", "wall clock"}}; }
  void configure(const Options&) override {}
  Batch time(Kernel& kernel, std::int64_t calls) override {
    const auto start = std::chrono::steady_clock::now();
    for (std::int64_t call = 0; call < calls; ++call) kernel.run();
    const std::chrono::duration<double> passed = std::chrono::steady_clock::now() - start;
    Batch batch;
    batch.seconds = batch.host_seconds = passed.count();
    batch.calls_run = calls;
    return batch;
  }
  double resolution_seconds() const override { return 1e-7; }
  std::size_t available_bytes() const override { return std::size_t{1} << 30; }
};

std::unique_ptr<Device> make_device() { return std::make_unique<WallClock>(); }

Facts facts() { return {{"fake.version", "1"}}; }

constexpr ModuleEntry kEntry = {kModuleVersion, "fake", add_kernels, make_device, facts};

}  // namespace
}  // namespace breakeven

extern "C" __attribute__((visibility("default"))) const breakeven::ModuleEntry* breakeven_module() {
  return &breakeven::kEntry;
}
