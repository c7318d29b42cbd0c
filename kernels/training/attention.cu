// The choice of the attention kernels, and delta, the sum of dy y over a head's columns, which is
// bounded by memory: dy and y are read once.
#include <cmath>

#include "kernels/training/attention.h"
#include "kernels/training/attention_problem.h"
#include "kernels/training/block_reduce.h"
#include "kernels/training/vectors.h"

namespace breakeven::training {
namespace {

constexpr int kThreads = 256;
constexpr int kLanes = 8;  // that share one head of one row

template <class T, int kHead>
__global__ void __launch_bounds__(kThreads)
    attention_delta_kernel(const __grid_constant__ AttentionProblem p, std::int64_t count) {
  const std::int64_t index =
      static_cast<std::int64_t>(blockIdx.x) * (kThreads / kLanes) + threadIdx.x / kLanes;
  const std::int64_t row = min(index, count - 1) / p.heads;  // all lanes of a warp take part
  const int head = static_cast<int>(min(index, count - 1) % p.heads);
  const int lane = static_cast<int>(threadIdx.x) % kLanes;
  const std::int64_t at = row * p.columns + head * kHead + lane * (kHead / kLanes);
  float sum = 0;
  constexpr int kVector = 16 / static_cast<int>(sizeof(T)) < kHead / kLanes
                              ? 16 / static_cast<int>(sizeof(T))
                              : kHead / kLanes;
#pragma unroll
  for (int first = 0; first < kHead / kLanes; first += kVector) {
    float y[kVector], dy[kVector];
    load_vector(y, static_cast<const T*>(p.y) + at + first);
    load_vector(dy, static_cast<const T*>(p.dy) + at + first);
#pragma unroll
    for (int i = 0; i < kVector; ++i) sum += y[i] * dy[i];
  }
  sum = lanes_sum<kLanes>(sum);
  if (index >= count || lane > 0) return;
  const std::int64_t sequence = row / p.length;
  p.delta[(sequence * p.heads + head) * p.length + row % p.length] = sum;
}

AttentionProblem problem_of(const Attention& p) {
  AttentionProblem problem = attention_problem(p.batch, p.length, p.heads, p.columns);
  problem.qkv = p.qkv;
  problem.lse = p.lse;
  return problem;
}

void require_supported(const Attention& p, ElementType storage) {
  require_extents("attention", {p.batch, p.length, p.heads, p.columns, p.batch * p.length,
                                p.batch * p.heads * ceil_div(p.length, kAttentionTile)});
  require_aligned("attention", {p.qkv, p.y, p.lse});
  const std::string reason = attention_unsupported(p, storage);
  if (!reason.empty()) throw std::invalid_argument("attention " + reason);
}

}  // namespace

AttentionProblem attention_problem(std::int64_t batch, std::int64_t length, std::int64_t heads,
                                   std::int64_t columns) {
  AttentionProblem p{};
  p.batch = static_cast<int>(batch);
  p.length = static_cast<int>(length);
  p.heads = static_cast<int>(heads);
  p.columns = static_cast<int>(columns);
  p.scale = 1.0f / std::sqrt(static_cast<float>(columns / heads));
  return p;
}

PreparedLaunch attention_delta(const AttentionProblem& p, ElementType storage) {
  const std::int64_t count = static_cast<std::int64_t>(p.batch) * p.length * p.heads;
  const Grid grid = {dim3(static_cast<unsigned>(ceil_div(count, kThreads / kLanes))),
                     dim3(kThreads)};
  return with_storage(storage, [&](auto element) {
    return with_head_size(p, [&](auto head) {
      return prepare_launch(attention_delta_kernel<decltype(element), decltype(head)::value>, grid,
                            p, count);
    });
  });
}

std::string attention_unsupported(const Attention& p, ElementType storage) {
  if (storage != ElementType::f32 && storage != ElementType::bf16) return "stores f32 or bf16";
  const bool known = p.columns == 32 * p.heads || p.columns == 64 * p.heads;
  return known ? "" : "takes heads of 32 or 64 columns";
}

PreparedLaunch prepare_attention(const Attention& p, ElementType storage) {
  require_supported(p, storage);
  AttentionProblem problem = problem_of(p);
  problem.to = p.y;
  return storage == ElementType::f32 ? attention_forward_f32(problem)
                                     : attention_forward_bf16(problem);
}

std::size_t attention_backward_workspace(const AttentionBackward& p) {
  return static_cast<std::size_t>(p.forward.batch * p.forward.heads * p.forward.length) *
         sizeof(float);
}

PreparedLaunch prepare_attention_backward(const AttentionBackward& p, void* workspace,
                                          ElementType storage) {
  require_supported(p.forward, storage);
  require_aligned("attention", {p.dy, p.dqkv, workspace});
  AttentionProblem problem = problem_of(p.forward);
  problem.y = p.forward.y;
  problem.dy = p.dy;
  problem.to = p.dqkv;
  problem.delta = static_cast<float*>(workspace);
  return in_order(attention_delta(problem, storage), storage == ElementType::f32
                                                         ? attention_backward_f32(problem)
                                                         : attention_backward_bf16(problem));
}

}  // namespace breakeven::training
