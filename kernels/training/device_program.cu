#include <cstdint>
#include <stdexcept>
#include <utility>

#include "kernels/training/device_program.h"

namespace breakeven::training {
namespace {

void compile_nodes(DeviceBuild& build, DeviceProducts& products) {
  for (std::size_t i = 0; i < build.graph().nodes().size(); ++i) {
    if (build.taken(i)) continue;
    build.begin(i);
    compile_device_node(build, products, i);
  }
}

// Addresses as a program's, behind which there is nothing.
class NoMemory final : public ProgramMemory {
 public:
  void* allocate(std::size_t bytes) override {
    constexpr std::uintptr_t kAligned = 256;
    const std::uintptr_t at = next_;
    next_ += (bytes + kAligned - 1) / kAligned * kAligned;
    return reinterpret_cast<void*>(at);
  }
  void upload(void*, std::span<const std::byte>) override {}
  void download(std::span<std::byte>, const void*) override {}
  void fill(void*, std::size_t, int) override {}
  Stream stream() const override { return {}; }

 private:
  std::uintptr_t next_ = std::uintptr_t{1} << 40;
};

}  // namespace

std::size_t device_workspace_bytes(const Graph& graph, Precision precision, const Gpu& gpu,
                                   bool fused, DeviceProducts& products) {
  NoMemory memory;
  DeviceTensors tensors(graph, precision, memory);
  DeviceBuild build(graph, precision, gpu, fused, false, tensors, memory);
  compile_nodes(build, products);
  return build.workspace_bytes();
}

DeviceProgram::DeviceProgram(const Graph& graph, Precision precision, const Gpu& gpu, bool fused,
                             std::unique_ptr<DeviceProducts> products,
                             std::unique_ptr<ProgramMemory> memory)
    : graph_(graph),
      precision_(precision),
      gpu_(gpu),
      fused_(fused),
      products_(std::move(products)),
      memory_(std::move(memory)),
      tensors_(graph, precision, *memory_) {
  compile(false);
}

void DeviceProgram::compile(bool exchanged) {
  DeviceBuild build(graph_, precision_, gpu_, fused_, exchanged, tensors_, *memory_);
  compile_nodes(build, *products_);
  build.finish();
  phases_[exchanged ? 1 : 0] = std::move(build.phases());
  facts_ = build.facts();
  compiled_[exchanged ? 1 : 0] = true;
}

void DeviceProgram::write(TensorId id, std::span<const std::byte> values) {
  const Tensor& tensor = graph_.tensor(id);
  const bool is_outside = tensor.kind == TensorKind::input || tensor.kind == TensorKind::target ||
                          tensor.kind == TensorKind::parameter || tensor.kind == TensorKind::state;
  if (!is_outside || values.size() != tensors_.bytes(id)) {
    throw std::invalid_argument(
        tensor.name + (is_outside ? " has another size" : " is written by the program alone"));
  }
  const bool has_copy = precision_ == Precision::bf16 && tensor.kind == TensorKind::parameter;
  // Inference reads the working copies alone.
  if (!has_copy || tensors_.existing(place(id)) != nullptr) {
    memory_->upload(tensors_.data(place(id)), values);
  }
  if (!has_copy) return;
  std::vector<std::byte> rounded(tensors_.copy_bytes(id));
  for (std::size_t i = 0; i < rounded.size() / sizeof(bf16); ++i) {
    store_element(ElementType::bf16, rounded.data(), i,
                  load_element(ElementType::f32, values.data(), i));
  }
  memory_->upload(tensors_.copy(place(id)), rounded);
}

std::vector<float> DeviceProgram::read(TensorId id) {
  const Tensor& tensor = graph_.tensor(id);
  const void* data = tensors_.existing(place(id));
  if (data == nullptr || tensors_.overwritten(id)) {
    throw std::invalid_argument("the program keeps no " + tensor.name);
  }
  std::vector<std::byte> stored(tensors_.bytes(id));
  memory_->download(stored, data);
  std::vector<float> values(static_cast<std::size_t>(tensor.elements()));
  const ElementType type = stored_type(tensor, precision_);
  for (std::size_t i = 0; i < values.size(); ++i) {
    values[i] = static_cast<float>(load_element(type, stored.data(), i));
  }
  return values;
}

void DeviceProgram::run() {
  run(Phase::forward);
  run(Phase::backward);
  run(Phase::update);
}

void DeviceProgram::run(Phase phase) {
  const DevicePhase& of = phases_[exchanged_ ? 1 : 0][static_cast<std::size_t>(phase)];
  for (const PreparedLaunch& launch : of.launches) launch(memory_->stream());
}

void DeviceProgram::poison(Phase phase) {
  for (const TensorId id : phases_[exchanged_ ? 1 : 0][static_cast<std::size_t>(phase)].written) {
    if (void* data = tensors_.existing(id)) memory_->fill(data, tensors_.bytes(id), 0xFF);
    if (phase != Phase::update) continue;
    if (void* copy = tensors_.existing_copy(id)) {
      memory_->fill(copy, tensors_.copy_bytes(id), 0xFF);
    }
  }
}

void DeviceProgram::advance() {
  exchanged_ = !exchanged_;
  if (!compiled_[exchanged_ ? 1 : 0]) compile(exchanged_);
  for (const auto& [constants, scalars] : tensors_.adamw_scalars()) {
    prepare_next_step(scalars)(memory_->stream());
  }
}

void DeviceProgram::set_step(std::int64_t step) { tensors_.upload_step(step); }

Facts DeviceProgram::facts() const {
  Facts facts;
  for (const auto& [name, values] : facts_) {
    std::string text;
    for (const std::string& value : values) text += (text.empty() ? "" : "; ") + value;
    facts[name] = text;
  }
  return facts;
}

}  // namespace breakeven::training
