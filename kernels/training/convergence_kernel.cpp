#include "kernels/training/convergence_kernel.h"

#include <fmt/format.h>

#include <chrono>
#include <cstring>
#include <utility>
#include <vector>

namespace breakeven::training {
namespace {

const Convergence& convergence_of(const Workload& workload) {
  return static_cast<const Convergence&>(workload);
}

// A step of the same size, which is what a backend is asked about.
TrainingStep step_of(const Convergence& workload) {
  return TrainingStep(workload.shape(), workload.size, StepPart::step);
}

class ProgramLearner final : public Learner {
 public:
  ProgramLearner(const ModelSize& size, const ModelSize& test_size, const MakeProgram& make,
                 Precision precision, const Options& options)
      : model_(build_model(size, Purpose::training)),
        inference_(build_model(test_size, Purpose::inference)),
        precision_(precision),
        program_(make(model_.graph, precision, options)),
        test_program_(make(inference_.graph, precision, options)),
        shared_(shared_tensors(model_.graph, inference_.graph)) {}

  void start(std::uint64_t seed) override {
    const Graph& graph = model_.graph;
    for (TensorId id = 0; id < static_cast<TensorId>(graph.tensors().size()); ++id) {
      const TensorKind kind = graph.tensor(id).kind;
      if (kind == TensorKind::parameter) {
        write(*program_, graph, id, starting_parameter(graph, id, precision_, seed));
      } else if (kind == TensorKind::state) {
        write(*program_, graph, id, initial_values(graph, id));
      }
    }
    program_->set_step(1);
  }

  double step(const Examples& batch) override {
    write(*program_, model_.graph, model_.input, batch.input);
    write(*program_, model_.graph, model_.target, batch.target);
    program_->run();
    const double loss = program_->read(model_.loss)[0];
    program_->advance();
    return loss;
  }

  std::vector<double> logits(const Examples& test) override {
    write(*test_program_, inference_.graph, inference_.input, test.input);
    for (const auto& [from, to] : shared_) {
      const std::vector<float> values = program_->read(from);
      write(*test_program_, inference_.graph, to, {values.begin(), values.end()});
    }
    test_program_->run();
    const std::vector<float> logits = test_program_->read(inference_.logits);
    return {logits.begin(), logits.end()};
  }

  Facts facts() const override { return program_->facts(); }

 private:
  void write(Program& program, const Graph& graph, TensorId id,
             const std::vector<double>& values) const {
    const ElementType type = stored_type(graph.tensor(id), precision_);
    std::vector<std::byte> stored(values.size() * element_bytes(type));
    for (std::size_t i = 0; i < values.size(); ++i) {
      store_element(type, stored.data(), i, values[i]);
    }
    program.write(id, stored);
  }

  Model model_;
  Model inference_;
  Precision precision_;
  std::unique_ptr<Program> program_;
  std::unique_ptr<Program> test_program_;
  std::vector<std::pair<TensorId, TensorId>> shared_;
};

}  // namespace

std::unique_ptr<Learner> program_learner(const ModelSize& size, const ModelSize& test_size,
                                         const MakeProgram& make, Precision precision,
                                         const Options& options) {
  return std::make_unique<ProgramLearner>(size, test_size, make, precision, options);
}

ConvergenceKernel::ConvergenceKernel(const Convergence& workload, std::unique_ptr<Learner> learner)
    : workload_(workload),
      learner_(std::move(learner)),
      goal_(workload.goal()),
      answer_(workload.output(Precision::f32).bytes()) {
  poison_output();
}

void ConvergenceKernel::run() {
  const auto start = std::chrono::steady_clock::now();
  last_ = train(*learner_, workload_.data(), goal_, kSeed);
  seconds_ = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  workload_.write_answer(last_, answer_);
}

void ConvergenceKernel::poison_output() { std::memset(answer_.data(), 0xFF, answer_.size()); }

std::span<const std::byte> ConvergenceKernel::output() { return answer_; }

Facts ConvergenceKernel::facts() const {
  Facts facts = learner_->facts();
  facts["data"] = workload_.data().description();
  if (last_.losses.empty()) return facts;
  std::string& curve = facts["loss_curve"];
  for (const double loss : last_.losses) {
    if (!curve.empty()) curve += ',';
    curve += fmt::format("{:.5g}", loss);
  }
  facts["metric"] = fmt::format("{} {:.4g}", metric_name(workload_.data().metric()), last_.metric);
  if (last_.steps_to_target == 0) return facts;
  facts["steps_to_target"] = std::to_string(last_.steps_to_target);
  facts["seconds_to_target"] = fmt::format("{:.4g}", seconds_);
  facts["target"] = fmt::format("{} {:.4g}", metric_name(workload_.data().metric()), goal_.target);
  return facts;
}

Implementation convergence_implementation(const std::string& model, const std::string& name) {
  Implementation implementation;
  implementation.op = "convergence_" + model;
  implementation.name = name;
  // A run of many steps has no operands to be found cold.
  implementation.caches = {Cache::warm};
  implementation.unsupported = [](const Workload& workload, Precision, const Options&) {
    return convergence_of(workload).missing();
  };
  return implementation;
}

void add_convergence(Registry& registry, const TrainingBackend& backend) {
  for (const char* model : kConvergenceModels) {
    Implementation implementation = convergence_implementation(model, backend.name);
    implementation.precisions = backend.precisions;
    implementation.threaded = backend.threaded;
    if (backend.unsupported) {
      implementation.unsupported = [unsupported = backend.unsupported](const Workload& workload,
                                                                       Precision precision,
                                                                       const Options& options) {
        const Convergence& convergence = convergence_of(workload);
        const std::string missing = convergence.missing();
        return missing.empty() ? unsupported(step_of(convergence), precision, options) : missing;
      };
    }
    implementation.footprint_bytes = [more = backend.more_bytes](const Workload& workload,
                                                                 Precision precision,
                                                                 const Options& options) {
      const Convergence& convergence = convergence_of(workload);
      const Model test = build_model(convergence.data().test_size(), Purpose::inference);
      const TrainingStep step = step_of(convergence);
      return program_bytes(step.model.graph, precision) + program_bytes(test.graph, precision) +
             (more ? more(step, precision, options) : 0);
    };
    implementation.load = [make = backend.make](const Workload& workload, Precision precision,
                                                const Options& options) -> std::unique_ptr<Kernel> {
      const Convergence& convergence = convergence_of(workload);
      return std::make_unique<ConvergenceKernel>(
          convergence, program_learner(convergence.size, convergence.data().test_size(), make,
                                       precision, options));
    };
    registry.add(std::move(implementation));
  }
}

}  // namespace breakeven::training
