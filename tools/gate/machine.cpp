#include "tools/gate/machine.h"

#include <fmt/format.h>

#include <fstream>

#include "reports/machines.h"
#include "reports/text.h"

namespace breakeven::gate {
namespace {

/// The value of the first line "key : value" of a file.
std::string field(const char* path, const std::string& key) {
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);) {
    if (!line.starts_with(key)) continue;
    const std::size_t colon = line.find(':');
    const std::size_t value =
        colon == std::string::npos ? colon : line.find_first_not_of(" \t", colon + 1);
    if (value != std::string::npos) return line.substr(value);
  }
  return {};
}

}  // namespace

Facts machine_facts(const Facts& context) { return hardware_facts(context); }

std::string fingerprint(const Facts& machine) {
  if (machine.empty()) return {};
  std::string text;
  for (const auto& [key, value] : machine) text += fmt::format("{}={}\n", key, value);
  return hash_text(text);
}

std::string machine_difference(const Facts& base, const Facts& head) {
  std::string text;
  for (const auto& [key, value] : base) {
    const auto other = head.find(key);
    if (other == head.end() || other->second == value) continue;
    text += fmt::format("{}{}: {} / {}", text.empty() ? "" : "; ", key, shortened(value, 60),
                        shortened(other->second, 60));
  }
  return text;
}

Facts this_machine() {
  Facts facts;
  for (const char* key : {"model name", "Processor", "cpu model"}) {
    const std::string model = field("/proc/cpuinfo", key);
    if (model.empty()) continue;
    facts["cpu.model"] = model;
    break;
  }
  return facts;
}

}  // namespace breakeven::gate
