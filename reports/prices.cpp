#include "reports/prices.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

#include "reports/json_text.h"
#include "reports/text.h"

namespace breakeven {
namespace {

using nlohmann::json;

constexpr std::size_t kLongestCurrency = 16;

std::string device_name(const Run& run, const std::string& device) {
  return run.fact(device == "gpu" ? "gpu.name" : "cpu.model");
}

bool matches(const Price& price, const Run& run) {
  const bool any_row = std::any_of(run.cases.begin(), run.cases.end(), [&](const Case& c) {
    return c.segments.device == price.device && c.seconds;
  });
  if (!any_row) return false;
  return price.machine.empty() ||
         device_name(run, price.device).find(price.machine) != std::string::npos;
}

template <std::size_t kCount>
void require_keys(const json& object, const std::array<const char*, kCount>& known,
                  const Place& place) {
  if (!object.is_object()) place.fail("is not an object");
  for (const auto& [key, value] : object.items()) {
    if (std::count(known.begin(), known.end(), key) > 0) continue;
    std::string names;
    for (const char* name : known) names += (names.empty() ? "" : ", ") + std::string(name);
    place.fail(fmt::format("has an unknown key \"{}\"; known are {}", shortened(key, 60), names));
  }
}

std::string optional_text(const json& object, const char* key, const Place& place) {
  return object.contains(key) ? text_at(object, key, place) : "";
}

Price read_price(const json& entry, const Place& place) {
  require_keys(entry, std::array{"device", "machine", "per_hour", "note"}, place);
  Price price;
  price.device = text_at(entry, "device", place);
  if (price.device != "gpu" && price.device != "cpu") {
    place.at("device").fail("is neither \"gpu\" nor \"cpu\"");
  }
  price.machine = optional_text(entry, "machine", place);
  price.note = optional_text(entry, "note", place);
  const auto per_hour = entry.find("per_hour");
  if (per_hour == entry.end()) place.fail("lacks \"per_hour\"");
  if (!per_hour->is_number()) place.at("per_hour").fail("is not a number");
  price.per_hour = per_hour->get<double>();
  // Bounds that keep every cost a number that can be read.
  if (!(price.per_hour >= 1e-6 && price.per_hour <= 1e9)) {
    place.at("per_hour")
        .fail(fmt::format("is {}, not a price between 1e-6 and 1e9 an hour", per_hour->dump()));
  }
  return price;
}

std::string described(std::size_t index, const Price& price) {
  return fmt::format(
      "prices[{}]: the price of a {}{}", index, price.device,
      price.machine.empty() ? "" : " whose name has \"" + shortened(price.machine, 60) + "\"");
}

}  // namespace

const Price* Prices::of(const Run& run, const std::string& device) const {
  const Price* found = nullptr;
  for (const Price& price : prices) {
    if (price.device != device || !matches(price, run)) continue;
    if (found == nullptr || found->machine.empty()) found = &price;
  }
  return found;
}

Prices parse_prices(std::string_view text, const std::string& file) {
  const Place place{file, ""};
  const json document = parse_json(text, place);
  if (!document.is_object()) place.fail("is not a price file: its top level is not an object");
  require_keys(document, std::array{"currency", "prices"}, place);
  Prices prices;
  prices.file = file;
  prices.currency = text_at(document, "currency", place);
  if (prices.currency.empty()) place.at("currency").fail("is empty");
  if (shortened(prices.currency, kLongestCurrency) != prices.currency) {
    place.at("currency")
        .fail(fmt::format("is no name of at most {} visible characters", kLongestCurrency));
  }
  const auto list = document.find("prices");
  if (list == document.end()) place.fail("lacks \"prices\"");
  if (!list->is_array() || list->empty()) place.at("prices").fail("is not a list of prices");
  for (std::size_t i = 0; i < list->size(); ++i) {
    prices.prices.push_back(read_price((*list)[i], place.at(fmt::format("prices[{}]", i))));
  }
  return prices;
}

Prices read_prices(const std::filesystem::path& path) {
  return parse_prices(read_text(path, "a price file"), path.string());
}

void require_matches(const Prices& prices, const std::vector<Run>& runs) {
  const Place place{prices.file, ""};
  bool used = false;
  for (std::size_t i = 0; i < prices.prices.size(); ++i) {
    const Price& price = prices.prices[i];
    used |=
        std::any_of(runs.begin(), runs.end(), [&](const Run& run) { return matches(price, run); });
    for (std::size_t j = 0; j < i; ++j) {
      const Price& other = prices.prices[j];
      if (other.device != price.device || other.machine.empty() != price.machine.empty()) continue;
      for (const Run& run : runs) {
        if (!matches(price, run) || !matches(other, run)) continue;
        place.fail(fmt::format("{} is for the same device as prices[{}]: keep one",
                               described(i, price), j));
      }
    }
  }
  if (!used) {
    place.fail(described(0, prices.prices.front()) +
               " matches no device that these results have rows of" +
               (prices.prices.size() > 1 ? ", nor does any other" : ""));
  }
}

}  // namespace breakeven
