#include "tools/breakeven/plan.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <stdexcept>

#include "reports/text.h"

namespace breakeven {
namespace {

using nlohmann::json;

std::string shown(const json& value) {
  if (value.is_null()) return "none";
  if (!value.is_string()) return value.dump();
  const std::string text = value.get<std::string>();
  return text.empty() ? "none" : fmt::format("'{}'", text);
}

json hashes_of(const json& shapes) {
  json hashes = json::array();
  for (const json& file : shapes) hashes.push_back(file.value("hash", ""));
  return hashes;
}

}  // namespace

json to_json(const Plan& plan) {
  json shapes = json::array();
  for (const ShapesFile& file : plan.shapes) {
    shapes.push_back({{"path", file.path}, {"hash", file.hash}});
  }
  return {{"suite", plan.suite},
          {"filter", plan.filter},
          {"shapes", shapes},
          {"threads", plan.threads ? json(*plan.threads) : json()},
          {"seed", plan.seed},
          {"rounds", plan.rounds},
          {"max_rounds", plan.max_rounds},
          {"repetitions", plan.repetitions},
          {"min_batch_seconds", plan.min_batch_seconds},
          {"half_width", plan.half_width},
          {"cases", plan.cases},
          {"cases_hash", plan.cases_hash},
          {"machine", plan.machine},
          {"build", plan.build},
          {"case_timeout_seconds", plan.case_timeout_seconds}};
}

std::string difference(const json& old_plan, const json& new_plan) {
  std::vector<std::string> differences;
  for (const auto& [key, now] : new_plan.items()) {
    const json then = old_plan.value(key, json());
    if (key == "case_timeout_seconds") continue;
    if (key == "shapes") {
      if (hashes_of(then) != hashes_of(now)) {
        differences.push_back("shapes: the files or their text differ");
      }
    } else if (key == "cases_hash") {
      if (then != now && old_plan.value("cases", json()) == new_plan.value("cases", json())) {
        differences.push_back("cases: other names");
      }
    } else if (then != now) {
      differences.push_back(fmt::format("{}: {} then, {} now", key, shown(then), shown(now)));
    }
  }
  return fmt::format("{}", fmt::join(differences, "; "));
}

ShapesFile describe_shapes(const std::string& path) {
  std::error_code error;
  if (std::filesystem::is_directory(path, error)) {
    throw std::runtime_error(fmt::format("--shapes {}: is a directory, not a file", path));
  }
  std::ifstream file(path, std::ios::binary);
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  if (!file.good() && !file.eof()) {
    throw std::runtime_error(fmt::format("--shapes {}: can't be read; does it exist?", path));
  }
  return {std::filesystem::absolute(path).string(), hash_text(text)};
}

}  // namespace breakeven
