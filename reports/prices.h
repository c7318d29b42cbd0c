// What an hour of a device costs, as the user says: nothing here knows a price by itself.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "reports/model.h"

namespace breakeven {

struct Price {
  std::string device;   ///< "gpu" or "cpu"
  std::string machine;  ///< part of the device's name (cpu.model, gpu.name); "" for any
  double per_hour = 0;  ///< positive, in the file's currency
  std::string note;     ///< where the price is from; may be empty
};

struct Prices {
  std::string file;      ///< as given, for the report to name its source
  std::string currency;  ///< "" where no file was given
  std::vector<Price> prices;

  /// The price of that device in a run, or null. One that names the machine goes before one that
  /// doesn't.
  const Price* of(const Run& run, const std::string& device) const;

  /// Of `seconds` at an hourly price.
  static double cost(const Price& price, double seconds) { return price.per_hour * seconds / 3600; }
};

/// Reads {"currency": "EUR", "prices": [{"device": "gpu", "machine": "H100", "per_hour": 2.5,
/// "note": "…"}]}; machine and note may be absent. Throws std::runtime_error with one line that
/// names the file and the place: malformed JSON, an unknown or missing key, a price that is no
/// number between 1e-6 and 1e9, no price at all.
Prices read_prices(const std::filesystem::path& path);

/// The same for text that is already here.
Prices parse_prices(std::string_view text, const std::string& file);

/// Throws std::runtime_error with one line where a price matches no device that the runs have rows
/// of, or two of the same kind match one device: which of them counts is not for us to say.
void require_matches(const Prices& prices, const std::vector<Run>& runs);

}  // namespace breakeven
