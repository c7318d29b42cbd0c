#include <cmath>

#include "tools/gate/fuzz/fuzz.h"
#include "tools/gate/selftest_file.h"

namespace breakeven::gate::fuzz {

void fuzz_selftest(std::string_view input) {
  Selftest selftest;
  if (!reads([&] { selftest = parse_selftest(input, "selftest.json"); })) return;
  for (const SelftestRow& row : selftest.rows) {
    require(!row.name.empty(), "a row without a name");
    require(std::isfinite(row.noise) && row.noise >= 0, "a noise that is none");
    require(!row.detectable || (std::isfinite(*row.detectable) && *row.detectable >= 0),
            "a slowdown that is none");
    require(row.gateable || selftest.not_gateable.contains(row.name), "would gate all the same");
  }
  const std::string written = to_json(selftest);
  require_json(written, "selftest.json");
  Selftest again;
  require(reads([&] { again = parse_selftest(written, "selftest.json"); }), "not read again");
  require(again.rows.size() == selftest.rows.size(), "other rows when read again");
  require(again.machine == selftest.machine, "another machine when read again");
}

}  // namespace breakeven::gate::fuzz
