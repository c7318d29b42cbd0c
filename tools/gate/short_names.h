// Names of rows in few columns, such that they still tell the rows apart.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

namespace breakeven::gate {

struct ShortNames {
  std::vector<std::string> names;  ///< in the order given
  std::string common;              ///< "matmul/…/real_time", of what they lack; "" where nothing
};

/// visible_text() of names in at most `width` columns each, which is at least 3. Where one is
/// longer, whole parts between slashes that all begin or end with are left out of all; what is
/// still too long loses its middle.
ShortNames short_names(const std::vector<std::string>& names, std::size_t width);

/// visible_text() of a name with its middle left out where it is longer than `width` columns.
std::string without_middle(const std::string& name, std::size_t width);

}  // namespace breakeven::gate
