// Training to a target by the fp64 interpreter (reference/training/interpreter.h): the curve that
// all others are compared with, as a competitor, so that reports can lay theirs over it. Its
// products are blocked and run on all threads, everything else is written for reading.
#include <memory>
#include <string>

#include "kernels/training/convergence_kernel.h"

namespace breakeven::training {

void reference(Registry& registry);

namespace {

// Every tensor in fp64, twice over for what a node holds beside.
std::size_t interpreter_bytes(const Graph& graph) {
  return 2 * program_bytes(graph, Precision::f64);
}

}  // namespace

void reference(Registry& registry) {
  for (const char* model : kConvergenceModels) {
    Implementation implementation = convergence_implementation(model, "reference");
    implementation.precisions = {Precision::f64};
    implementation.footprint_bytes = [](const Workload& workload, Precision, const Options&) {
      const auto& convergence = static_cast<const Convergence&>(workload);
      const Model model_of = build_model(convergence.size, Purpose::training);
      const Model test = build_model(convergence.data().test_size(), Purpose::inference);
      return interpreter_bytes(model_of.graph) + interpreter_bytes(test.graph);
    };
    implementation.load = [](const Workload& workload, Precision precision,
                             const Options&) -> std::unique_ptr<Kernel> {
      const auto& convergence = static_cast<const Convergence&>(workload);
      return std::make_unique<ConvergenceKernel>(
          convergence, std::make_unique<InterpreterLearner>(
                           convergence.size, convergence.data().test_size(), precision));
    };
    registry.add(std::move(implementation));
  }
}

}  // namespace breakeven::training
