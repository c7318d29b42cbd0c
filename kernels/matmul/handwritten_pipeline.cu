// The every-call transfer mode, overlapped: operands start in pinned host memory, the result ends
// there, and chunks of rows are copied up, multiplied and copied down at the same time. A row's
// time holds the transfers, unlike that of every other row. Bounded by the slower of the bus and
// the kernel, plus B's copy, which nothing can overlap.
#include <algorithm>
#include <cstring>
#include <memory>
#include <vector>

#include "kernels/cuda/buffered_kernel.h"
#include "kernels/cuda/device.h"
#include "kernels/kernel.h"
#include "kernels/matmul/dispatch.h"
#include "kernels/matmul/row_chunks.h"

namespace breakeven::matmul {
namespace {

// More chunks hide more of the first copy up and the last copy down; fewer fill the GPU better.
constexpr int kMostChunks = 8;

Gpu gpu() { return {device_info().compute_capability, device_info().sms}; }

/// A stream for copies, which run beside the work stream's kernels.
class CopyStream {
 public:
  CopyStream() { check(cudaStreamCreateWithFlags(&stream_, cudaStreamNonBlocking)); }
  ~CopyStream() {
    if (stream_) cudaStreamDestroy(stream_);
  }
  CopyStream(const CopyStream&) = delete;
  CopyStream& operator=(const CopyStream&) = delete;
  cudaStream_t get() const { return stream_; }

 private:
  cudaStream_t stream_ = nullptr;
};

/// `after` goes on when what `before` holds now is done.
void order(const Event& event, cudaStream_t before, cudaStream_t after) {
  check(cudaEventRecord(event.get(), before));
  check(cudaStreamWaitEvent(after, event.get()));
}

/// How a chunk is computed. `gemm` has no addresses yet: chunks begin at rows that keep the
/// alignment of whole matrices, on which alone a choice depends.
struct ChunkPlan {
  RowChunk rows;
  Gemm gemm;
  Choice choice;
  std::size_t workspace_bytes = 0;
};

/// Throws Unsupported where a chunk has no kernel.
std::vector<ChunkPlan> plan_chunks(const Matmul& matmul, Precision precision) {
  std::vector<ChunkPlan> plans;
  for (const RowChunk& rows : row_chunks(matmul.m, kMostChunks)) {
    ChunkPlan plan{rows, dense_gemm(matmul), {}};
    plan.gemm.shape.m = rows.rows;
    plan.choice = choose(plan.gemm, precision, gpu());
    if (!plan.choice.rung) throw Unsupported("no hand-written kernel for a chunk of its rows");
    plan.gemm.tiling = plan.choice.tiling;
    plan.workspace_bytes = plan.choice.rung->workspace_bytes(plan.gemm, gpu());
    plans.push_back(plan);
  }
  return plans;
}

/// All chunks are computed on one stream, one after another, so one workspace serves them.
std::size_t workspace_bytes(const std::vector<ChunkPlan>& plans) {
  std::size_t most = 0;
  for (const ChunkPlan& plan : plans) most = std::max(most, plan.workspace_bytes);
  return most;
}

struct Step {
  RowChunk rows;
  std::byte* c;
  PreparedGemm product;
  Event uploaded, computed;
};

class Pipeline final : public BufferedKernel {
 public:
  Pipeline(const Matmul& matmul, Precision precision)
      : BufferedKernel(matmul, precision),
        input_bytes_(element_bytes(traits(precision).input)),
        output_bytes_(element_bytes(traits(precision).output)),
        gemm_(dense_gemm(matmul)),
        plans_(plan_chunks(matmul, precision)),
        workspace_(workspace_bytes(plans_)),
        a_(input(0).bytes()),
        b_(input(1).bytes()),
        c_(result().bytes()) {
    matmul.fill_input(0, precision, {a_.data(), a_.bytes()});
    matmul.fill_input(1, precision, {b_.data(), b_.bytes()});
    gemm_.a = input(0).data();
    gemm_.b = input(1).data();
    gemm_.c = result().data();
  }

  void prepare() override {
    steps_.clear();
    for (const ChunkPlan& plan : plans_) {
      Gemm part = rows_of(gemm_, plan.rows, input_bytes_, output_bytes_);
      part.tiling = plan.choice.tiling;
      const Rung& rung = *plan.choice.rung;
      steps_.push_back({plan.rows,
                        static_cast<std::byte*>(part.c),
                        rung.prepare(part, workspace_.data(), gpu()),
                        {},
                        {}});
    }
  }

  // The work stream forks into the copy streams and joins them again, so that events around the
  // call enclose all of it, and a capture of it is whole.
  void run() override {
    order(begin_, work_stream(), up_.get());
    order(begin_, work_stream(), down_.get());
    check(
        cudaMemcpyAsync(input(1).data(), b_.data(), b_.bytes(), cudaMemcpyHostToDevice, up_.get()));
    for (const Step& step : steps_) {
      upload_rows(step.rows);
      order(step.uploaded, up_.get(), work_stream());
      step.product.enqueue(work_stream());
      order(step.computed, work_stream(), down_.get());
      const std::size_t first = step.rows.first * gemm_.ldc * output_bytes_;
      check(cudaMemcpyAsync(c_.data() + first, step.c, step.rows.rows * gemm_.ldc * output_bytes_,
                            cudaMemcpyDeviceToHost, down_.get()));
    }
    order(end_, down_.get(), work_stream());
  }

  // The device's operands too: an answer is right only if this call's copies brought them.
  void poison_output() override {
    BufferedKernel::poison_output();
    for (std::size_t i = 0; i < 2; ++i) {
      check(cudaMemsetAsync(input(i).data(), 0xFF, input(i).bytes(), work_stream()));
    }
    check(cudaStreamSynchronize(work_stream()));
    std::memset(c_.data(), 0xFF, c_.bytes());
  }

  std::span<const std::byte> output() override {
    check(cudaStreamSynchronize(work_stream()));
    return {c_.data(), c_.bytes()};
  }

  /// Nothing moves outside a call.
  Transfers time_transfers() override { return {}; }

  Facts facts() const override {
    Facts facts = {{"chunks", std::to_string(plans_.size())},
                   {"implementation", plans_.front().choice.rung->name},
                   {"time", "transfers inside, overlapped"}};
    if (!steps_.empty() && !steps_.front().product.plan.empty()) {
      facts["plan"] = steps_.front().product.plan;
    }
    return facts;
  }

 private:
  /// Rows of op(A): rows of A, or columns where A is stored transposed.
  void upload_rows(const RowChunk& rows) {
    const bool transposed = gemm_.shape.trans_a;
    const std::size_t pitch = gemm_.lda * input_bytes_;
    const std::size_t first = rows.first * (transposed ? input_bytes_ : pitch);
    const std::size_t width = transposed ? rows.rows * input_bytes_ : pitch;
    const std::size_t height = transposed ? gemm_.shape.k : rows.rows;
    check(cudaMemcpy2DAsync(input(0).as<std::byte>() + first, pitch, a_.data() + first, pitch,
                            width, height, cudaMemcpyHostToDevice, up_.get()));
  }

  std::size_t input_bytes_, output_bytes_;
  Gemm gemm_;
  std::vector<ChunkPlan> plans_;
  DeviceBuffer workspace_;
  PinnedBuffer a_, b_, c_;
  CopyStream up_, down_;
  Event begin_, end_;
  std::vector<Step> steps_;
};

}  // namespace

void handwritten_pipeline(Registry& registry) {
  Implementation implementation;
  implementation.op = "matmul";
  implementation.name = "handwritten_pipeline";
  implementation.precisions = {Precision::f32, Precision::bf16};
  implementation.caches = {Cache::warm};  // operands come from the host: no cache holds them
  implementation.threaded = false;
  implementation.unsupported = [](const Workload& workload, Precision precision, const Options&) {
    const Gemm gemm = dense_gemm(static_cast<const Matmul&>(workload));
    return choose(gemm, precision, gpu()).rung
               ? std::string()
               : std::string("no hand-written kernel for this product on this GPU");
  };
  implementation.footprint_bytes = [](const Workload& workload, Precision precision,
                                      const Options&) {
    const std::vector<ChunkPlan> plans =
        plan_chunks(static_cast<const Matmul&>(workload), precision);
    return operand_bytes(workload, precision) + workspace_bytes(plans);
  };
  implementation.load = [](const Workload& workload, Precision precision, const Options&) {
    return std::make_unique<Pipeline>(static_cast<const Matmul&>(workload), precision);
  };
  registry.add(std::move(implementation));
}

}  // namespace breakeven::matmul
