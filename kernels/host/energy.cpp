#include "kernels/host/energy.h"

#include "kernels/host/system_files.h"

namespace breakeven {

PackageEnergy::PackageEnergy(const std::filesystem::path& powercap) {
  std::error_code missing;
  for (const auto& entry : std::filesystem::directory_iterator(powercap, missing)) {
    // "package-0" of intel-rapl:0 (AMD too); its children (core, dram) and psys would count twice.
    const std::string name = read_text(entry.path() / "name").value_or("");
    if (!name.starts_with("package")) continue;
    const std::filesystem::path counter = entry.path() / "energy_uj";
    const auto now = read_integer(counter);
    const auto range = read_integer(entry.path() / "max_energy_range_uj");
    if (!now || !range) {
      readable_ = false;  // part of the packages would be a wrong figure, so none is given
      return;
    }
    domains_.push_back({counter, *range, *now});
  }
}

std::optional<double> PackageEnergy::joules() {
  if (!readable_ || domains_.empty()) return std::nullopt;
  for (Domain& domain : domains_) {
    const auto now = read_integer(domain.counter);
    if (!now) {
      readable_ = false;
      return std::nullopt;
    }
    const long long wrapped = *now < domain.last ? domain.range : 0;
    microjoules_ += static_cast<double>(*now - domain.last + wrapped);
    domain.last = *now;
  }
  return microjoules_ * 1e-6;
}

}  // namespace breakeven
