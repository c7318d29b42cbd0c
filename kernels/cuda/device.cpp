#include "kernels/cuda/device.h"

#include <array>
#include <cstdio>
#include <exception>

#include "kernels/cuda/check.h"
#include "kernels/cuda/driver.h"
#include "kernels/cuda/probes.h"

namespace breakeven {
namespace {

// Left free beside a case: code that is loaded late, and the driver's own needs.
constexpr std::size_t kReserveBytes = std::size_t{256} << 20;

int attribute(cudaDeviceAttr which) {
  int value = 0;
  check(cudaDeviceGetAttribute(&value, which, 0));
  return value;
}

std::string version_text(int version) {
  return std::to_string(version / 1000) + "." + std::to_string(version % 1000 / 10);
}

std::string capability_text(int capability) {
  return std::to_string(capability / 10) + "." + std::to_string(capability % 10);
}

DeviceInfo read_device_info() {
  cudaDeviceProp properties;
  check(cudaGetDeviceProperties(&properties, 0));
  std::array<char, 32> bus_id{};
  check(cudaDeviceGetPCIBusId(bus_id.data(), static_cast<int>(bus_id.size()), 0));
  DeviceInfo info;
  info.name = properties.name;
  info.compute_capability = 10 * properties.major + properties.minor;
  info.sms = properties.multiProcessorCount;
  info.l2_bytes = static_cast<std::size_t>(attribute(cudaDevAttrL2CacheSize));
  info.memory_bytes = properties.totalGlobalMem;
  info.pci_bus_id = bus_id.data();
  return info;
}

template <class Value>
void add(Facts& facts, const std::string& key, const std::optional<Value>& value) {
  if (!value) return;
  if constexpr (std::is_same_v<Value, std::string>) {
    facts[key] = *value;
  } else if constexpr (std::is_same_v<Value, bool>) {
    facts[key] = *value ? "on" : "off";
  } else if constexpr (std::is_floating_point_v<Value>) {
    std::array<char, 32> text{};
    std::snprintf(text.data(), text.size(), "%.0f", *value);
    facts[key] = text.data();
  } else {
    facts[key] = std::to_string(*value);
  }
}

// One run() as a graph. Throws what run() throws while it is captured.
CapturedGraph capture(Kernel& kernel, cudaStream_t stream) {
  check(cudaStreamBeginCapture(stream, cudaStreamCaptureModeThreadLocal));
  std::exception_ptr failure;
  try {
    kernel.run();
  } catch (...) {
    failure = std::current_exception();
  }
  cudaGraph_t graph = nullptr;
  const cudaError_t end = cudaStreamEndCapture(stream, &graph);
  if (failure || end != cudaSuccess) {
    if (graph) cudaGraphDestroy(graph);
    cudaGetLastError();  // seen here; it must not surface at the next launch
    if (failure) std::rethrow_exception(failure);
    check(end);
  }
  return CapturedGraph(graph);
}

}  // namespace

const DeviceInfo& device_info() {
  static const DeviceInfo info = read_device_info();
  return info;
}

cudaStream_t work_stream() {
  // Never destroyed: at exit the driver may be gone before this module.
  static const cudaStream_t stream = [] {
    cudaStream_t created = nullptr;
    check(cudaStreamCreateWithFlags(&created, cudaStreamNonBlocking));
    return created;
  }();
  return stream;
}

// Neighbours are counted before this process has a context of its own: inside a container its own
// process number is not the one that NVML lists.
CudaDevice::CudaDevice()
    : nvml_(device_info().pci_bus_id),
      other_processes_(nvml_.other_processes()),
      timer_((check(cudaSetDevice(0)), work_stream()), &nvml_) {
  if (device_code_version() == 0) {
    throw Unsupported("this build holds no code for " + device_info().name +
                      " (compute capability " + capability_text(device_info().compute_capability) +
                      "): configure with -DCMAKE_CUDA_ARCHITECTURES=" +
                      std::to_string(device_info().compute_capability));
  }
}

Facts CudaDevice::facts() const {
  const DeviceInfo& info = device_info();
  Facts facts = cuda_facts();
  facts["gpu.name"] = info.name;
  facts["gpu.compute_capability"] = capability_text(info.compute_capability);
  facts["gpu.sms"] = std::to_string(info.sms);
  facts["gpu.l2_bytes"] = std::to_string(info.l2_bytes);
  facts["gpu.memory_bytes"] = std::to_string(info.memory_bytes);
  facts["gpu.flush_bytes"] = std::to_string(flush_bytes(info.l2_bytes));
  add(facts, "gpu.driver", nvml_.driver_version());
  add(facts, "gpu.max_clock_mhz", nvml_.max_sm_clock_mhz());
  add(facts, "gpu.power_limit_watts", nvml_.power_limit_watts());
  add(facts, "gpu.ecc", nvml_.ecc());
  add(facts, "gpu.mig", nvml_.mig());
  add(facts, "gpu.other_processes", other_processes_);
  const auto generation = nvml_.pcie_generation();
  const auto width = nvml_.pcie_width();
  if (generation && width) {
    // An idle link runs at a lower generation, so its highest one belongs to the reading.
    std::string link = "gen " + std::to_string(*generation) + " x" + std::to_string(*width);
    if (const auto most = nvml_.max_pcie_generation()) link += ", max gen " + std::to_string(*most);
    facts["gpu.pcie"] = link;
  }
  return facts;
}

void CudaDevice::configure(const Options& options) {
  options_ = options;
  prepared_ = nullptr;
  graph_.reset();
  timer_.set_call({});
  timer_.set_flush_bytes(options.cache == Cache::cold ? flush_bytes(device_info().l2_bytes) : 0);
  device_memory().restart();
}

void CudaDevice::prepare(Kernel& kernel) {
  // What a kernel took for a while to choose its plans is no part of its calls.
  device_memory().restart();
  kernel.run();
  timer_.synchronise();
  graph_.reset();
  CapturedCall captured;
  try {
    graph_ = capture(kernel, work_stream());
    captured.launches = static_cast<std::int64_t>(graph_->nodes());
  } catch (const std::exception& error) {
    captured.failure = error.what();
  }
  plan_ = plan_of(captured, options_.launch, options_.cache);
  if (options_.launch == Launch::graph) {
    graph_->instantiate(work_stream());
    timer_.set_call([this] { graph_->launch(work_stream()); });
    timer_.enqueue_call();
  } else {
    graph_.reset();
    timer_.set_call([&kernel] { kernel.run(); });
  }
  timer_.synchronise();
  prepared_ = &kernel;
}

Batch CudaDevice::time(Kernel& kernel, std::int64_t calls) {
  if (prepared_ != &kernel) prepare(kernel);
  plan_.calls = calls;
  return time_batch(timer_, plan_);
}

std::size_t CudaDevice::available_bytes() const {
  std::size_t free = 0, total = 0;
  check(cudaMemGetInfo(&free, &total));
  const std::size_t flush =
      timer_.flush_bytes() == 0 ? flush_bytes(device_info().l2_bytes) : std::size_t{0};
  const std::size_t reserve = kReserveBytes + flush;
  return free > reserve ? free - reserve : 0;
}

std::optional<std::size_t> CudaDevice::peak_bytes() const {
  return device_memory().peak() - timer_.flush_bytes();
}

std::unique_ptr<Device> make_gpu_device() {
  load_kernels_eagerly();
  if (const std::string& reason = gpu_missing_reason(); !reason.empty()) throw Unsupported(reason);
  try {
    return std::make_unique<CudaDevice>();
  } catch (const CudaError& error) {
    throw Unsupported(std::string("the GPU can't be used: ") + error.what());
  }
}

Facts cuda_facts() {
  Facts facts;
  int runtime = 0, driver = 0;
  if (cudaRuntimeGetVersion(&runtime) == cudaSuccess) {
    facts["cuda.runtime"] = version_text(runtime);
  }
  if (cudaDriverGetVersion(&driver) == cudaSuccess && driver > 0) {
    facts["cuda.driver_api"] = version_text(driver);
  }
  return facts;
}

}  // namespace breakeven
