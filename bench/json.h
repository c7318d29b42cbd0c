// JSON as this project writes it: keys in the order of insertion, numbers finite or absent.
#pragma once

#include <cmath>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

namespace breakeven {

using Json = nlohmann::ordered_json;

/// Adds `value` unless it is NaN or infinite, which JSON can't say.
inline void add_finite(Json& object, const std::string& key, double value) {
  if (std::isfinite(value)) object[key] = value;
}

/// Adds `value` where it was measured; an absent figure is never written as 0.
inline void add_finite(Json& object, const std::string& key, const std::optional<double>& value) {
  if (value) add_finite(object, key, *value);
}

}  // namespace breakeven
