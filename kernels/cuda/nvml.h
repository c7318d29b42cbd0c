// What NVIDIA's management library knows of the board: energy, clocks, why they are low,
// neighbours. Opened at run time; a driver without it, or a board that can't tell, costs the
// counters only.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

namespace breakeven {

/// An entry of NVML's process list (nvmlProcessInfo_v2_t).
struct NvmlProcess {
  unsigned pid;
  unsigned long long used_bytes;
  unsigned gpu_instance;
  unsigned compute_instance;
};

/// NVML's functions by the signatures of nvml.h; results: 0 is success. Those that a driver lacks
/// are null. A test fills in its own.
struct NvmlCalls {
  int (*init)() = nullptr;
  int (*device_by_pci)(const char* bus_id, void** device) = nullptr;
  int (*energy_millijoules)(void* device, unsigned long long* energy) = nullptr;
  int (*clock_mhz)(void* device, int domain, unsigned* mhz) = nullptr;
  int (*max_clock_mhz)(void* device, int domain, unsigned* mhz) = nullptr;
  int (*clock_reasons)(void* device, unsigned long long* reasons) = nullptr;
  int (*power_limit_milliwatts)(void* device, unsigned* limit) = nullptr;
  int (*ecc_mode)(void* device, unsigned* current, unsigned* pending) = nullptr;
  int (*mig_mode)(void* device, unsigned* current, unsigned* pending) = nullptr;
  int (*pcie_generation)(void* device, unsigned* generation) = nullptr;
  int (*max_pcie_generation)(void* device, unsigned* generation) = nullptr;
  int (*pcie_width)(void* device, unsigned* lanes) = nullptr;
  int (*driver_version)(char* text, unsigned bytes) = nullptr;
  int (*compute_processes)(void* device, unsigned* count, NvmlProcess* list) = nullptr;
};

/// Reasons for a lowered clock (nvmlClocksEventReasons).
enum class ClockReason : std::uint64_t {
  idle = 0x1,
  application_setting = 0x2,
  power_cap = 0x4,
  hardware_slowdown = 0x8,
  sync_boost = 0x10,
  software_thermal = 0x20,
  hardware_thermal = 0x40,
  power_brake = 0x80,
  display_setting = 0x100,
};

/// Whether a set of reasons spoils a sample: heat, a hardware slowdown or a power brake. The power
/// cap does not: at full load it is how the board works, and the measured clock beside the row
/// shows it.
bool is_throttled(std::uint64_t reasons);

/// One board. Every reading is absent where the library or the board can't give it.
class Nvml {
 public:
  /// The board at `pci_bus_id` ("0000:1b:00.0"), as CUDA names it: NVML's own numbering ignores
  /// CUDA_VISIBLE_DEVICES.
  explicit Nvml(const std::string& pci_bus_id);
  Nvml(const NvmlCalls& calls, const std::string& pci_bus_id);

  bool available() const { return device_ != nullptr; }
  std::optional<double> energy_joules() const;  ///< of the whole board, since the driver was loaded
  std::optional<double> sm_clock_mhz() const;
  std::optional<double> max_sm_clock_mhz() const;
  std::optional<std::uint64_t> clock_reasons() const;
  std::optional<double> power_limit_watts() const;
  std::optional<bool> ecc() const;
  std::optional<bool> mig() const;
  std::optional<unsigned> pcie_generation() const;
  std::optional<unsigned> max_pcie_generation() const;
  std::optional<unsigned> pcie_width() const;
  std::optional<std::string> driver_version() const;
  /// Processes that compute on the board now, but for this one.
  std::optional<std::size_t> other_processes() const;

 private:
  NvmlCalls calls_;
  void* device_ = nullptr;
};

/// The functions of libnvidia-ml.so.1, all null where it can't be opened.
NvmlCalls open_nvml(const std::string& library = "libnvidia-ml.so.1");

}  // namespace breakeven
