// The tables of shapes: those that are built in, and those that a user brings.
#pragma once

#include <cstddef>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "reference/workload.h"

namespace breakeven {

/// One workload of a shape file (the schema stands in reference/shapes/README.md).
struct Shape {
  std::unique_ptr<Workload> workload;
  std::size_t entry = 0;        ///< index of its entry in the file's shapes
  std::string source;           ///< where the file's shapes come from
  std::optional<double> gflop;  ///< as its source gives it; of one image where n is a list
};

/// What a shape file holds: its shapes, and a line for every entry that is none.
struct ShapeFile {
  std::vector<Shape> shapes;
  std::vector<std::string> refused;  ///< file, entry (index and name), what is wrong, what to do
};

/// Names that entries may no longer take, as "matmul/square_64", and whose they are, as a message
/// has it: "a built-in matmul shape".
using TakenNames = std::map<std::string, std::string>;

/// Parses the text of a shape file; `file` is its name for messages. A bad entry is refused and the
/// others are taken. Throws std::runtime_error with one line where the file itself is bad, and with
/// the lines of the refused entries (of a great many, the first) where none is good or the file is
/// a network's, whose sum a hole would make untrue.
ShapeFile parse_shapes(std::string_view text, const std::string& file, TakenNames taken = {});

/// The shapes of a file of our own, where a refused entry is a bug: throws std::runtime_error.
std::vector<Shape> parse_built_in_shapes(std::string_view text, const std::string& file);

/// The workloads of reference/shapes/*.json, which the build embeds, in the files' order.
std::vector<Shape> built_in_shapes();

/// Workloads of all built-in shapes, the peak and training to a target.
std::vector<std::unique_ptr<Workload>> built_in_workloads();

/// A user's file. Names of built-in shapes are taken beside those in `taken`. Throws
/// std::runtime_error like parse_shapes, also where the file can't be read.
ShapeFile load_shapes(const std::filesystem::path& path, TakenNames taken = {});

}  // namespace breakeven
