#include "kernels/cuda/nvml.h"

#include <dlfcn.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <utility>
#include <vector>

namespace breakeven {
namespace {

constexpr int kInsufficientSize = 7;  // NVML_ERROR_INSUFFICIENT_SIZE
constexpr int kSmClock = 1;           // NVML_CLOCK_SM

// The first of `names` that the library has: names changed over the driver's releases.
template <class Function>
void find(void* library, Function& function, std::initializer_list<const char*> names) {
  for (const char* name : names) {
    function = reinterpret_cast<Function>(dlsym(library, name));
    if (function) return;
  }
}

// Reads one value by a function that may be missing; `more` are arguments before the result.
template <class Value, class Function, class... More>
std::optional<Value> read(Function function, void* device, More... more) {
  Value value{};
  if (!device || !function || function(device, more..., &value) != 0) return std::nullopt;
  return value;
}

std::optional<bool> read_mode(int (*function)(void*, unsigned*, unsigned*), void* device) {
  unsigned current = 0, pending = 0;
  if (!device || !function || function(device, &current, &pending) != 0) return std::nullopt;
  return current != 0;
}

std::optional<double> scaled(std::optional<double> value, double factor) {
  return value ? std::optional(*value * factor) : std::nullopt;
}

}  // namespace

bool is_throttled(std::uint64_t reasons) {
  const auto bit = [](ClockReason reason) { return static_cast<std::uint64_t>(reason); };
  return (reasons & (bit(ClockReason::hardware_slowdown) | bit(ClockReason::software_thermal) |
                     bit(ClockReason::hardware_thermal) | bit(ClockReason::power_brake))) != 0;
}

NvmlCalls open_nvml(const std::string& library) {
  NvmlCalls calls;
  void* handle = dlopen(library.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (!handle) return calls;
  find(handle, calls.init, {"nvmlInit_v2", "nvmlInit"});
  find(handle, calls.device_by_pci,
       {"nvmlDeviceGetHandleByPciBusId_v2", "nvmlDeviceGetHandleByPciBusId"});
  find(handle, calls.energy_millijoules, {"nvmlDeviceGetTotalEnergyConsumption"});
  find(handle, calls.clock_mhz, {"nvmlDeviceGetClockInfo"});
  find(handle, calls.max_clock_mhz, {"nvmlDeviceGetMaxClockInfo"});
  find(handle, calls.clock_reasons,
       {"nvmlDeviceGetCurrentClocksEventReasons", "nvmlDeviceGetCurrentClocksThrottleReasons"});
  find(handle, calls.power_limit_milliwatts, {"nvmlDeviceGetEnforcedPowerLimit"});
  find(handle, calls.ecc_mode, {"nvmlDeviceGetEccMode"});
  find(handle, calls.mig_mode, {"nvmlDeviceGetMigMode"});
  find(handle, calls.pcie_generation, {"nvmlDeviceGetCurrPcieLinkGeneration"});
  find(handle, calls.max_pcie_generation, {"nvmlDeviceGetMaxPcieLinkGeneration"});
  find(handle, calls.pcie_width, {"nvmlDeviceGetCurrPcieLinkWidth"});
  find(handle, calls.driver_version, {"nvmlSystemGetDriverVersion"});
  // Version 1 lists a shorter structure, so there is no older name to fall back to.
  find(handle, calls.compute_processes,
       {"nvmlDeviceGetComputeRunningProcesses_v3", "nvmlDeviceGetComputeRunningProcesses_v2"});
  return calls;
}

Nvml::Nvml(const std::string& pci_bus_id) : Nvml(open_nvml(), pci_bus_id) {}

Nvml::Nvml(const NvmlCalls& calls, const std::string& pci_bus_id) : calls_(calls) {
  if (!calls_.init || !calls_.device_by_pci || calls_.init() != 0) return;
  if (calls_.device_by_pci(pci_bus_id.c_str(), &device_) != 0) device_ = nullptr;
}

std::optional<double> Nvml::energy_joules() const {
  return scaled(read<unsigned long long>(calls_.energy_millijoules, device_), 1e-3);
}
std::optional<double> Nvml::sm_clock_mhz() const {
  return read<unsigned>(calls_.clock_mhz, device_, kSmClock);
}
std::optional<double> Nvml::max_sm_clock_mhz() const {
  return read<unsigned>(calls_.max_clock_mhz, device_, kSmClock);
}
std::optional<std::uint64_t> Nvml::clock_reasons() const {
  return read<unsigned long long>(calls_.clock_reasons, device_);
}
std::optional<double> Nvml::power_limit_watts() const {
  return scaled(read<unsigned>(calls_.power_limit_milliwatts, device_), 1e-3);
}
std::optional<bool> Nvml::ecc() const { return read_mode(calls_.ecc_mode, device_); }
std::optional<bool> Nvml::mig() const { return read_mode(calls_.mig_mode, device_); }
std::optional<unsigned> Nvml::pcie_generation() const {
  return read<unsigned>(calls_.pcie_generation, device_);
}
std::optional<unsigned> Nvml::max_pcie_generation() const {
  return read<unsigned>(calls_.max_pcie_generation, device_);
}
std::optional<unsigned> Nvml::pcie_width() const {
  return read<unsigned>(calls_.pcie_width, device_);
}

std::optional<std::string> Nvml::driver_version() const {
  std::array<char, 96> text{};
  if (!device_ || !calls_.driver_version ||
      calls_.driver_version(text.data(), static_cast<unsigned>(text.size())) != 0) {
    return std::nullopt;
  }
  text.back() = '\0';
  return std::string(text.data());
}

std::optional<std::size_t> Nvml::other_processes() const {
  if (!device_ || !calls_.compute_processes) return std::nullopt;
  // The list may grow between asking for its length and reading it.
  std::vector<NvmlProcess> list(64);
  for (int attempt = 0; attempt < 4; ++attempt) {
    unsigned count = static_cast<unsigned>(list.size());
    const int result = calls_.compute_processes(device_, &count, list.data());
    if (result == 0) {
      list.resize(std::min<std::size_t>(count, list.size()));
      const auto self = static_cast<unsigned>(getpid());
      return static_cast<std::size_t>(std::count_if(
          list.begin(), list.end(), [self](const NvmlProcess& each) { return each.pid != self; }));
    }
    if (result != kInsufficientSize) return std::nullopt;
    list.resize(count + std::size_t{64});
  }
  return std::nullopt;
}

}  // namespace breakeven
