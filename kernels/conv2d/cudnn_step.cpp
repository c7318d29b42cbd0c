#include "kernels/conv2d/cudnn_step.h"

#include "kernels/cuda/device.h"

namespace breakeven::conv2d {

void CudnnStep::choose(Precision precision, Conv2dOp op, Algorithm algorithm, bool repeatable) {
  graph_.submit(cudnn_handle());
  graph_.find_plans();
  std::size_t free_bytes = 0, total_bytes = 0;
  check(cudaMemGetInfo(&free_bytes, &total_bytes));
  try {
    choice_ = choose_plan(*this, plan_rules(precision, op, algorithm, free_bytes, repeatable));
  } catch (const Unsupported&) {
    // An error that sticks is no lack of plans.
    check(cudaStreamSynchronize(work_stream()));
    throw;
  }
  workspace_ = DeviceBuffer();
  timer_.reset();
}

void CudnnStep::take(const std::string& plan_name) {
  graph_.submit(cudnn_handle());
  graph_.find_plans();
  std::size_t plan = 0;
  while (plan < graph_.plans() && graph_.name(plan) != plan_name) ++plan;
  if (plan == graph_.plans()) throw Unsupported("cuDNN no longer offers its plan " + plan_name);
  choice_ = {};
  choice_.plan = plan;
  choice_.workspace_bytes = graph_.build(plan);
}

void CudnnStep::add_facts(Facts& facts, const std::string& prefix) const {
  facts[prefix + "plan"] = plan();
  facts[prefix + "notes"] = notes_text(graph_.notes(choice_.plan));
  facts[prefix + "workspace_bytes"] = std::to_string(choice_.workspace_bytes);
  facts[prefix + "plans"] = tally_text(choice_.tally);
}

std::size_t CudnnStep::build(std::size_t plan) {
  built_bytes_ = graph_.build(plan);
  return built_bytes_;
}

double CudnnStep::seconds(std::size_t plan, double best) {
  grow_workspace();
  graph_.bind(plan, operands_, workspace_.data());
  // Whatever is loaded or compiled at the first call must not wait behind the timer's blocker.
  try {
    launch();
    check(cudaStreamSynchronize(work_stream()));
  } catch (...) {
    cudaGetLastError();  // seen here; it must not surface at the next launch
    throw;
  }
  constexpr std::int64_t kLaunches = 16;  // layout changes, memset, product, reduction, with room
  if (!timer_) timer_ = std::make_unique<StreamTimer>(work_stream(), nullptr);
  timer_->set_call([this] { launch(); });
  return trial_seconds(*timer_, kLaunches, best);
}

void CudnnStep::grow_workspace() {
  if (workspace_.bytes() >= built_bytes_) return;
  workspace_ = DeviceBuffer();
  try {
    workspace_ = DeviceBuffer(built_bytes_);
  } catch (const CudaError& error) {
    if (error.code() != cudaErrorMemoryAllocation) throw;
    cudaGetLastError();
    throw NoWorkspace(error.what());
  }
}

}  // namespace breakeven::conv2d
