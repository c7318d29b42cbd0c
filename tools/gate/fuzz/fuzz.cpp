#include "tools/gate/fuzz/fuzz.h"

#include <cmath>
#include <nlohmann/json.hpp>
#include <typeinfo>

#include "reports/text.h"

namespace breakeven::gate::fuzz {

void require(bool holds, std::string_view what) {
  if (!holds) throw Fault(std::string(what));
}

bool reads(const std::function<void()>& read) {
  try {
    read();
    return true;
  } catch (const std::runtime_error& error) {
    const std::string_view message = error.what();
    require(typeid(error) == typeid(std::runtime_error), "refused by another exception");
    require(!message.empty(), "refused without a word");
    require(visible_text(message) == message,
            "refused with what is not one visible line: " + visible_text(message));
    return false;
  }
}

Halves halves(std::string_view input) {
  const std::size_t nul = input.find('\0');
  if (nul == std::string_view::npos) return {input, {}};
  return {input.substr(0, nul), input.substr(nul + 1)};
}

void require_sound(const Samples& samples) {
  for (const auto& [name, row] : samples.rows) {
    require(!name.empty(), "a row without a name");
    const Moment* last = nullptr;
    for (const auto& [moment, seconds] : row.rounds) {
      require(std::isfinite(seconds) && seconds > 0, "a time that is not positive and finite");
      require(!last || *last < moment, "rounds out of order");
      last = &moment;
    }
    for (const auto& [counter, exact] : row.exact) {
      require(std::isfinite(exact.least) && exact.least <= exact.most,
              "a counter that is not finite");
    }
  }
}

void require_json(std::string_view text, std::string_view what) {
  require(nlohmann::json::accept(text), std::string(what) + " is not JSON");
}

void require_visible_lines(std::string_view text, std::string_view what) {
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    const std::string_view line = text.substr(0, end);
    require(visible_text(line) == line, std::string(what) + " has a line that is not visible");
    text.remove_prefix(std::min(end + 1, text.size()));
  }
}

}  // namespace breakeven::gate::fuzz
