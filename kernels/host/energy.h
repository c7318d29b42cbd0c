// Energy of the CPU packages, from the kernel's RAPL counters.
#pragma once

#include <filesystem>
#include <optional>
#include <vector>

namespace breakeven {

/// Sums the package domains under powercap (their scope: CPU sockets, not memory or board) since
/// construction. Counters wrap around every few minutes to hours at full load: joules() must be
/// called at least once per wrap.
class PackageEnergy {
 public:
  explicit PackageEnergy(const std::filesystem::path& powercap = "/sys/class/powercap");

  /// Joules since construction; nothing where a counter is missing or may not be read.
  std::optional<double> joules();

 private:
  struct Domain {
    std::filesystem::path counter;  // energy_uj
    long long range;                // the counter starts again at 0 after this value
    long long last;
  };
  std::vector<Domain> domains_;
  bool readable_ = true;
  double microjoules_ = 0;
};

}  // namespace breakeven
