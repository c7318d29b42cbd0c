// breakeven record: puts a machine's results among those that are kept in the repository.
#include <fmt/format.h>

#include <filesystem>
#include <stdexcept>

#include "reports/atomic_file.h"
#include "reports/recorded.h"
#include "reports/text.h"
#include "tools/breakeven/commands.h"

namespace breakeven {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

int check(const fs::path& directory) {
  const std::vector<std::string> faults = recorded_faults(directory);
  for (const std::string& fault : faults) fmt::print("{}\n", fault);
  if (faults.empty()) {
    fmt::print("every file below {} is valid and says where it is from\n",
               visible_text(directory.string()));
  }
  return faults.empty() ? kExitFine : kExitFailed;
}

/// A row to a line, so that a difference of two files can be read.
std::string document_text(const json& document) {
  constexpr auto kReplace = json::error_handler_t::replace;
  json rest = document;
  rest.erase("benchmarks");
  std::string text = rest.dump(1, ' ', false, kReplace);
  text.erase(text.rfind('\n'));
  text += ",\n \"benchmarks\": [";
  const char* separator = "\n  ";
  for (const json& row : document.at("benchmarks")) {
    text += separator + row.dump(-1, ' ', false, kReplace);
    separator = ",\n  ";
  }
  return text + "\n ]\n}\n";
}

}  // namespace

int record_command(const RecordOptions& options) {
  if (options.check) return check(options.directory);
  const std::string text = read_text(options.file, "a results JSON file");
  const Results results = parse_results(text, options.file);
  const std::vector<std::string> faults = recording_faults(results);
  if (!faults.empty()) {
    throw std::runtime_error(fmt::format(
        "{}: can't be recorded: it {}{}", visible_text(options.file), visible_text(faults.front()),
        faults.size() == 1 ? "" : fmt::format(" (and {} more)", faults.size() - 1)));
  }
  const fs::path target = fs::path(options.directory) / recorded_path(results);
  if (fs::exists(target)) {
    throw std::runtime_error(fmt::format("{}: is recorded already; delete it to record another run",
                                         visible_text(target.string())));
  }
  std::error_code error;
  fs::create_directories(target.parent_path(), error);
  if (error) {
    throw std::runtime_error(fmt::format("{}: can't be made a directory: {}",
                                         visible_text(target.parent_path().string()),
                                         error.message()));
  }
  const json document = parse_json(text, {options.file, ""});
  write_file_atomically(target, document_text(without_host(document)));
  fmt::print("recorded: {}\n", visible_text(target.string()));
  return kExitFine;
}

}  // namespace breakeven
