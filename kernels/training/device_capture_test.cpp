// What a captured graph holds of a program: the emulator's stream records as a GPU's under capture,
// and what is replayed must be the whole step.
#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <string>
#include <tuple>
#include <utility>

#include "kernels/training/device_program_testing.h"
#include "kernels/training/lt_call.h"

namespace breakeven::training {
namespace {

using Recording = std::vector<simt::RecordedLaunch>;

bool same(const dim3& a, const dim3& b) { return a.x == b.x && a.y == b.y && a.z == b.z; }

bool same(const Recording& a, const Recording& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](const auto& x, const auto& y) {
    return x.kernel == y.kernel && same(x.shape.blocks, y.shape.blocks) &&
           same(x.shape.threads, y.shape.threads) && x.shape.shared_bytes == y.shape.shared_bytes &&
           x.shape.cluster == y.shape.cluster && x.arguments == y.arguments;
  });
}

constexpr Phase kPhases[] = {Phase::forward, Phase::backward, Phase::update};

// A program whose calls can be captured.
class Captured {
 public:
  Captured(const TrainingStep& step, Precision precision, bool fused,
           std::unique_ptr<DeviceProducts> products = handwritten_products(),
           std::unique_ptr<EmulatorMemory> memory = std::make_unique<EmulatorMemory>())
      : step_(step),
        precision_(precision),
        memory_(*memory),
        program_(step.model.graph, precision, kAmpere, fused, std::move(products),
                 std::move(memory)) {
    write_inputs(1);
  }

  DeviceProgram& program() { return program_; }

  // Throws what the call throws.
  template <class Call>
  Recording record(Call call) {
    struct Ended {
      EmulatorMemory& memory;
      ~Ended() { memory.recording = nullptr; }
    } ended{memory_};
    Recording recording;
    memory_.recording = &recording;
    call(program_);
    return recording;
  }
  Recording record() {
    return record([](DeviceProgram& program) { program.run(); });
  }

  // The step's own, with the images or weights scaled.
  void write_inputs(float scale) {
    const std::vector<Operand> inputs = step_.inputs(precision_);
    for (std::size_t i = 0; i < inputs.size(); ++i) {
      std::vector<std::byte> values(inputs[i].bytes());
      step_.fill_input(i, precision_, values);
      const TensorId id = step_.source(i);
      if (step_.model.graph.tensor(id).kind == TensorKind::parameter) {
        for (std::size_t j = 0; j < values.size() / sizeof(float); ++j) {
          reinterpret_cast<float*>(values.data())[j] *= scale;
        }
      }
      program_.write(id, values);
    }
  }

  void poison() {
    for (const Phase phase : kPhases) program_.poison(phase);
  }
  std::vector<std::byte> answer() { return answer_of(step_, precision_, program_); }

 private:
  const TrainingStep& step_;
  Precision precision_;
  EmulatorMemory& memory_;
  DeviceProgram program_;
};

// Whether a replay gives other inputs' answer to the last bit, as a plain run does.
::testing::AssertionResult replays(Captured& captured, const Recording& recording) {
  captured.program().run();
  const std::vector<std::byte> first = captured.answer();
  captured.write_inputs(0.5f);
  captured.program().run();
  const std::vector<std::byte> want = captured.answer();
  if (want == first) return ::testing::AssertionFailure() << "other inputs, the same answer";
  captured.poison();
  simt::replay(recording);
  if (captured.answer() != want) return ::testing::AssertionFailure() << "another answer";
  return ::testing::AssertionSuccess();
}

class Capture : public testing::TestWithParam<std::tuple<bool, Precision>> {
 protected:
  bool fused() const { return std::get<0>(GetParam()); }
  Precision precision() const { return std::get<1>(GetParam()); }
};

TEST_P(Capture, AReplayIsARunOnWhateverTheTensorsHold) {
  for (const ModelSize& size : {ModelSize(tiny_mlp()), ModelSize(tiny_lenet())}) {
    const TrainingStep step("tiny", size, StepPart::step);
    Captured captured(step, precision(), fused());
    captured.program().run();
    const std::vector<std::byte> answer = captured.answer();
    captured.poison();
    const std::vector<std::byte> poisoned = captured.answer();
    const Recording recording = captured.record();
    EXPECT_EQ(captured.answer(), poisoned) << "recording runs nothing";
    EXPECT_TRUE(same(captured.record(), recording)) << "the same launches each time";
    simt::replay(recording);
    EXPECT_EQ(captured.answer(), answer);
    EXPECT_TRUE(replays(captured, recording));
  }
}

TEST_P(Capture, PhasesAreTheStepCutInThree) {
  const TrainingStep step("tiny", tiny_gpt(), StepPart::step);
  Captured captured(step, precision(), fused());
  captured.program().run();
  Recording phases;
  for (const Phase phase : kPhases) {
    const Recording recording =
        captured.record([phase](DeviceProgram& program) { program.run(phase); });
    EXPECT_FALSE(recording.empty());
    phases.insert(phases.end(), recording.begin(), recording.end());
  }
  EXPECT_TRUE(same(captured.record(), phases));
  EXPECT_TRUE(replays(captured, phases));
}

INSTANTIATE_TEST_SUITE_P(Programs, Capture,
                         testing::Combine(testing::Bool(),
                                          testing::Values(Precision::f32, Precision::bf16)),
                         [](const auto& test) {
                           return std::string(std::get<0>(test.param) ? "Fused" : "Unfused") +
                                  std::string(traits(std::get<1>(test.param)).name);
                         });

// c = op(a) op(b) in f32, a thread an element.
__global__ void plain_product(const __grid_constant__ LtCall p) {
  const std::int64_t at = static_cast<std::int64_t>(blockIdx.x) * blockDim.x + threadIdx.x;
  if (at >= p.m * p.n) return;
  const std::int64_t i = at / p.n, j = at % p.n;
  const float* a = static_cast<const float*>(p.a);
  const float* b = static_cast<const float*>(p.b);
  float sum = 0;
  for (std::int64_t l = 0; l < p.k; ++l) {
    sum += a[p.trans_a ? l * p.m + i : i * p.k + l] * b[p.trans_b ? j * p.k + l : l * p.n + j];
  }
  static_cast<float*>(p.c)[at] = sum;
}

// Right products in f32, but for what is done to their launches.
class Twin final : public DeviceProducts {
 public:
  using Change = std::function<PreparedLaunch(PreparedLaunch)>;
  explicit Twin(Change change) : change_(std::move(change)) {}
  void linear(DeviceBuild& build, const LinearProduct& p) override {
    const LtCall call = lt_call(Precision::f32, p);
    const auto blocks = static_cast<unsigned>(ceil_div(call.m * call.n, 64));
    build.call(change_(prepare_launch(plain_product, {dim3(blocks), dim3(64)}, call)));
    if (p.bias == nullptr) return;
    call_bias_activation(build, p.m, p.n, p.to, p.bias, p.activation);
  }
  void conv2d(DeviceBuild&, const ConvProduct&) override {
    throw std::logic_error("no convolution is tested");
  }

 private:
  Change change_;
};

TEST(CaptureTwins, ProductsThatAreLaunchedOnTheStreamAreInTheGraph) {
  const TrainingStep step("tiny", tiny_mlp(), StepPart::step);
  Captured captured(step, Precision::f32, true,
                    std::make_unique<Twin>([](PreparedLaunch launch) { return launch; }));
  EXPECT_TRUE(replays(captured, captured.record()));
}

TEST(CaptureTwins, ProductsThatAreLaunchedAtOnceAreNot) {
  const TrainingStep step("tiny", tiny_mlp(), StepPart::step);
  Captured captured(step, Precision::f32, true,
                    std::make_unique<Twin>([](PreparedLaunch launch) -> PreparedLaunch {
                      return [launch = std::move(launch)](Stream) { launch(Stream{}); };
                    }));
  EXPECT_FALSE(replays(captured, captured.record()));
}

TEST(CaptureTwins, AnAllocationInALaunchCantBeCaptured) {
  const TrainingStep step("tiny", tiny_mlp(), StepPart::step);
  auto memory = std::make_unique<EmulatorMemory>();
  EmulatorMemory& used = *memory;
  Captured captured(step, Precision::f32, true,
                    std::make_unique<Twin>([&used](PreparedLaunch launch) -> PreparedLaunch {
                      return [&used, launch = std::move(launch)](Stream stream) {
                        used.allocate(256);
                        launch(stream);
                      };
                    }),
                    std::move(memory));
  EXPECT_NO_THROW(captured.program().run());
  EXPECT_THROW(captured.record(), std::logic_error);
}

}  // namespace
}  // namespace breakeven::training
