#include "reference/shapes.h"

#include <fmt/format.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <iterator>
#include <stdexcept>
#include <utility>

#include "reference/peak.h"
#include "reference/training/convergence.h"

namespace breakeven {

// Written by the build from reference/shapes/*.json: names and texts.
std::vector<std::pair<std::string_view, std::string_view>> shape_files();

namespace {

constexpr std::uintmax_t kFileBytes = 16 << 20;

[[noreturn]] void refuse(const std::filesystem::path& path, const std::string& why) {
  throw std::runtime_error(fmt::format("{}: {}", path.string(), why));
}

std::string read_file(const std::filesystem::path& path) {
  std::error_code error;
  const auto status = std::filesystem::status(path, error);
  if (!std::filesystem::exists(status)) refuse(path, "no such file; --shapes wants a shape file");
  if (std::filesystem::is_directory(status)) refuse(path, "is a directory; name one shape file");
  std::ifstream file(path, std::ios::binary);
  if (!file) refuse(path, fmt::format("can't be opened: {}", std::strerror(errno)));
  std::string text;
  for (std::istreambuf_iterator<char> next(file), end; next != end; ++next) {
    if (text.size() == kFileBytes) refuse(path, "is over 16 MiB, which is no list of shapes");
    text += *next;
  }
  if (file.bad()) refuse(path, "can't be read");
  return text;
}

}  // namespace

std::vector<Shape> built_in_shapes() {
  std::vector<Shape> shapes;
  for (const auto& [name, text] : shape_files()) {
    for (Shape& shape : parse_built_in_shapes(text, "reference/shapes/" + std::string(name))) {
      shapes.push_back(std::move(shape));
    }
  }
  return shapes;
}

std::vector<std::unique_ptr<Workload>> built_in_workloads() {
  std::vector<std::unique_ptr<Workload>> workloads;
  for (Shape& shape : built_in_shapes()) workloads.push_back(std::move(shape.workload));
  workloads.push_back(std::make_unique<Peak>());
  for (auto& workload : convergence_workloads()) workloads.push_back(std::move(workload));
  return workloads;
}

ShapeFile load_shapes(const std::filesystem::path& path, TakenNames taken) {
  for (const auto& workload : built_in_workloads()) {
    taken.emplace(workload->op() + "/" + workload->shape(),
                  fmt::format("a built-in {} shape", workload->op()));
  }
  return parse_shapes(read_file(path), path.string(), std::move(taken));
}

}  // namespace breakeven
