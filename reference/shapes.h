// The tables of shapes: those that are built in, and those that a user brings.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "reference/workload.h"

namespace breakeven {

/// One entry of a shape file (the schema stands in reference/shapes/README.md).
struct Shape {
  std::unique_ptr<Workload> workload;
  std::string source;           ///< where the file's shapes come from
  std::int64_t times = 1;       ///< how often the layer occurs in its network
  std::optional<double> gflop;  ///< as its source gives it
};

/// Parses the text of a shape file; `file` is its name for messages. Throws std::runtime_error
/// with one line that names the file, the entry (index and name) and what to do.
std::vector<Shape> parse_shapes(std::string_view text, const std::string& file);

/// The entries of reference/shapes/*.json, which the build embeds, in the files' order.
std::vector<Shape> built_in_shapes();

/// Workloads of all built-in shapes and the peak.
std::vector<std::unique_ptr<Workload>> built_in_workloads();

/// Workloads of a user's file. Throws std::runtime_error like parse_shapes, also where the file
/// can't be read or a name is already that of a built-in shape of the same operation.
std::vector<std::unique_ptr<Workload>> load_shapes(const std::filesystem::path& path);

}  // namespace breakeven
