#include <utility>

#include "kernels/cuda/buffers.h"
#include "kernels/cuda/device.h"
#include "kernels/cuda/probes.h"
#include "kernels/training/attention.h"
#include "kernels/training/device_backend.h"
#include "kernels/training/device_program.h"

namespace breakeven::training {
namespace {

class CudaProgramMemory final : public ProgramMemory {
 public:
  void* allocate(std::size_t bytes) override {
    buffers_.emplace_back(bytes);
    return buffers_.back().data();
  }
  void upload(void* to, std::span<const std::byte> from) override {
    check(cudaMemcpyAsync(to, from.data(), from.size(), cudaMemcpyHostToDevice, stream()));
    check(cudaStreamSynchronize(stream()));
  }
  void download(std::span<std::byte> to, const void* from) override {
    check(cudaMemcpyAsync(to.data(), from, to.size(), cudaMemcpyDeviceToHost, stream()));
    check(cudaStreamSynchronize(stream()));
  }
  void fill(void* to, std::size_t bytes, int value) override {
    check(cudaMemsetAsync(to, value, bytes, stream()));
  }
  Stream stream() const override { return work_stream(); }

 private:
  std::vector<DeviceBuffer> buffers_;
};

std::string reason_against(const TrainingStep& step, Precision precision) {
  // Tensor cores of bf16 begin with Ampere, and so does this code.
  constexpr int kOldest = 80;
  if (device_info().compute_capability < kOldest) {
    return "needs compute capability 8.0 or later";
  }
  if (device_code_version() == 0) return "this build holds no code for this GPU";
  const auto* gpt = std::get_if<Gpt>(&step.size);
  if (gpt == nullptr) return "";
  Attention attention;
  attention.heads = gpt->heads;
  attention.columns = gpt->width;
  const std::string reason = attention_unsupported(
      attention, precision == Precision::bf16 ? ElementType::bf16 : ElementType::f32);
  return reason.empty() ? "" : "attention " + reason;
}

}  // namespace

Gpu device_gpu() { return {device_info().compute_capability, device_info().sms}; }

std::unique_ptr<ProgramMemory> device_program_memory() {
  return std::make_unique<CudaProgramMemory>();
}

TrainingBackend device_backend(std::string name, std::vector<Precision> precisions, bool fused,
                               MakeProducts products, MakeProducts sizes) {
  TrainingBackend backend;
  backend.name = std::move(name);
  backend.precisions = std::move(precisions);
  backend.make = [fused, products = std::move(products)](const Graph& graph, Precision precision,
                                                         const Options&) {
    return std::make_unique<DeviceProgram>(graph, precision, device_gpu(), fused, products(),
                                           device_program_memory());
  };
  backend.more_bytes = [fused, sizes = std::move(sizes)](const TrainingStep& step,
                                                         Precision precision, const Options&) {
    return device_workspace_bytes(step.model.graph, precision, device_gpu(), fused, *sizes());
  };
  backend.launches = {Launch::stream, Launch::graph};
  backend.threaded = false;
  backend.unsupported = [](const TrainingStep& step, Precision precision, const Options&) {
    return reason_against(step, precision);
  };
  return backend;
}

}  // namespace breakeven::training
