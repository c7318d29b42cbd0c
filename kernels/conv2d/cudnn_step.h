// One graph of cuDNN with its memory, from the search for a plan to its launches.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "kernels/conv2d/cudnn_graph.h"
#include "kernels/conv2d/cudnn_plan.h"
#include "kernels/cuda/buffers.h"
#include "kernels/cuda/stream_timer.h"
#include "kernels/kernel.h"

namespace breakeven::conv2d {

class CudnnStep final : public PlanSource {
 public:
  /// `operands` as GraphWork orders them, the result last.
  CudnnStep(CudnnGraph graph, std::vector<void*> operands)
      : graph_(std::move(graph)), operands_(std::move(operands)) {}

  /// Times the plans that are allowed and keeps the fastest; the trials write the result. Throws
  /// Unsupported where no plan is left, CudaError where a trial broke the device. `repeatable`:
  /// see plan_rules().
  void choose(Precision precision, Conv2dOp op, Algorithm algorithm, bool repeatable = false);

  /// Instead of choose(): the plan of this name, which another step of the same graph chose,
  /// without trials. Throws Unsupported where cuDNN doesn't offer it.
  void take(const std::string& plan_name);

  /// Of the chosen plan: what bind() needs. The trials' own is freed.
  std::size_t workspace_bytes() const { return choice_.workspace_bytes; }
  void bind(void* workspace) { graph_.bind(choice_.plan, operands_, workspace); }
  /// The same, with a result elsewhere than where the trials wrote it.
  void bind(void* workspace, void* result) {
    operands_.back() = result;
    bind(workspace);
  }

  /// Enqueues the chosen plan on work_stream(); allocates nothing.
  void launch() { graph_.launch(); }

  std::string plan() const { return graph_.name(choice_.plan); }
  void add_facts(Facts& facts, const std::string& prefix) const;

  std::size_t size() const override { return graph_.plans(); }
  std::string name(std::size_t plan) const override { return graph_.name(plan); }
  PlanNotes notes(std::size_t plan) const override { return graph_.notes(plan); }
  void release(std::size_t plan) override { graph_.release(plan); }
  std::size_t build(std::size_t plan) override;
  double seconds(std::size_t plan, double best) override;

 private:
  void grow_workspace();

  CudnnGraph graph_;
  std::vector<void*> operands_;
  DeviceBuffer workspace_;       // of the trials
  std::size_t built_bytes_ = 0;  // of the plan built last
  std::unique_ptr<StreamTimer> timer_;
  PlanChoice choice_;
};

}  // namespace breakeven::conv2d
