#include "kernels/training/step_kernel.h"

#include <fmt/format.h>

#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "kernels/host/buffer.h"
#include "kernels/training/convergence_kernel.h"

namespace breakeven::training {
namespace {

constexpr const char* kModels[] = {"mlp", "lenet", "resnet18", "resnet50", "gpt"};
constexpr StepPart kParts[] = {StepPart::step, StepPart::forward, StepPart::backward,
                               StepPart::update, StepPart::inference};
constexpr Phase kPhases[] = {Phase::forward, Phase::backward, Phase::update};

class StepKernel final : public Kernel {
 public:
  using MakeStep = std::function<std::unique_ptr<Program>()>;

  StepKernel(const TrainingStep& step, Precision precision, MakeStep make)
      : step_(step),
        precision_(precision),
        phase_(phase_of(step.part)),
        make_(std::move(make)),
        answer_(step.output(precision).bytes()) {
    poison(answer_.span());
  }

  // Making the program chooses its plans, which is what this phase's time is to show. Values are
  // written behind it, since trials write where they like. A phase finds what those before it left.
  void prepare() override {
    program_ = make_();
    start();
    if (phase_) program_->run();
  }

  void run() override {
    if (phase_) {
      program_->run(*phase_);
    } else {
      program_->run();
    }
  }

  void poison_output() override {
    for (const Phase phase : kPhases) {
      if (!phase_ || phase == *phase_) program_->poison(phase);
    }
  }

  std::span<const std::byte> output() override {
    TensorId held = kNoTensor;
    std::vector<float> values;
    step_.write_answer(precision_, answer_.span(), [&](TensorId id, std::int64_t element) {
      if (id != held) values = program_->read(held = id);
      return static_cast<double>(values[static_cast<std::size_t>(element)]);
    });
    return {answer_.data(), answer_.bytes()};
  }

  Facts facts() const override {
    if (!program_) return {};
    Facts facts = program_->facts();
    if (step_.part == StepPart::step) facts["loss_after_10_steps"] = loss_after_ten_steps();
    return facts;
  }

 private:
  void start() const {
    const std::vector<Operand> inputs = step_.inputs(precision_);
    for (std::size_t i = 0; i < inputs.size(); ++i) {
      HostBuffer values(inputs[i].bytes());
      step_.fill_input(i, precision_, values.span());
      program_->write(step_.source(i), values.span());
    }
    program_->set_step(1);
  }

  // The eleventh step's, of the same batch each time; then the program is again as it was. An even
  // number of steps, so that run() is the one that was checked and captured.
  std::string loss_after_ten_steps() const {
    for (int i = 0; i < 10; ++i) {
      program_->run();
      program_->advance();
    }
    program_->run();
    const float loss = program_->read(step_.model.loss)[0];
    start();
    program_->run();
    return fmt::format("{:.6g}", loss);
  }

  const TrainingStep& step_;
  Precision precision_;
  std::optional<Phase> phase_;
  MakeStep make_;
  std::unique_ptr<Program> program_;
  HostBuffer answer_;
};

const TrainingStep& step_of(const Workload& workload) {
  return static_cast<const TrainingStep&>(workload);
}

Implementation implementation_of(const TrainingBackend& backend, std::string op) {
  Implementation implementation;
  implementation.op = std::move(op);
  implementation.name = backend.name;
  implementation.precisions = backend.precisions;
  implementation.launches = backend.launches;
  // A step's own tensors evict each other; there are no operands to be found cold.
  implementation.caches = {Cache::warm};
  implementation.threaded = backend.threaded;
  if (backend.unsupported) {
    implementation.unsupported = [unsupported = backend.unsupported](const Workload& workload,
                                                                     Precision precision,
                                                                     const Options& options) {
      return unsupported(step_of(workload), precision, options);
    };
  }
  implementation.footprint_bytes = [more = backend.more_bytes](const Workload& workload,
                                                               Precision precision,
                                                               const Options& options) {
    const TrainingStep& step = step_of(workload);
    return program_bytes(step.model.graph, precision) + step.output(precision).bytes() +
           (more ? more(step, precision, options) : 0);
  };
  implementation.load = [make = backend.make](const Workload& workload, Precision precision,
                                              const Options& options) -> std::unique_ptr<Kernel> {
    const TrainingStep& step = step_of(workload);
    return std::make_unique<StepKernel>(step, precision, [&step, precision, make, options] {
      return make(step.model.graph, precision, options);
    });
  };
  return implementation;
}

}  // namespace

void add_training(Registry& registry, const TrainingBackend& backend) {
  for (const char* model : kModels) {
    for (const StepPart part : kParts) {
      registry.add(implementation_of(backend, part_name(part) + "_" + model));
    }
  }
  if (backend.convergence) add_convergence(registry, backend);
}

std::size_t program_bytes(const Graph& graph, Precision precision) {
  std::size_t bytes = 0;
  for (const Tensor& tensor : graph.tensors()) {
    const auto elements = static_cast<std::size_t>(tensor.elements());
    bytes += elements * element_bytes(stored_type(tensor, precision));
    if (precision == Precision::bf16 && tensor.kind == TensorKind::parameter) {
      bytes += 2 * elements * element_bytes(ElementType::bf16);
    }
  }
  return bytes;
}

}  // namespace breakeven::training
