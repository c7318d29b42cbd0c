#include <cmath>

#include "reports/prices.h"
#include "tools/gate/fuzz/fuzz.h"

namespace breakeven::gate::fuzz {

void fuzz_prices(std::string_view input) {
  Prices prices;
  if (!reads([&] { prices = parse_prices(input, "prices.json"); })) return;
  require(!prices.currency.empty(), "no currency");
  require(!prices.prices.empty(), "no price");
  for (const Price& price : prices.prices) {
    require(price.device == "gpu" || price.device == "cpu", "a price of nothing");
    const double cost = Prices::cost(price, 1e6);
    require(std::isfinite(cost) && cost > 0, "a cost that is no number");
  }
  require(!reads([&] { require_matches(prices, {}); }), "matches what isn't there");
}

}  // namespace breakeven::gate::fuzz
