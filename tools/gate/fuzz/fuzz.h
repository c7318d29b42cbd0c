// Fuzz targets: whatever the bytes are, a reader reads them or says in one line why not.
#pragma once

#include <functional>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>

#include "tools/gate/samples.h"

namespace breakeven::gate::fuzz {

/// What no input may bring about; not what a reader refuses by.
struct Fault : std::logic_error {
  using std::logic_error::logic_error;
};

/// Throws Fault with `what` unless it holds.
void require(bool holds, std::string_view what);

/// Whether `read` came to its end. It may refuse by a std::runtime_error with one line of visible
/// text; any other way out, also by a class derived of that, is a Fault or goes on to the caller.
bool reads(const std::function<void()>& read);

/// The bytes before and behind the first NUL; all are `base` where there is none.
struct Halves {
  std::string_view base, head;
};
Halves halves(std::string_view input);

/// What holds of everything that was read as one arm.
void require_sound(const Samples& samples);

/// JSON that can be parsed again, whole lines of visible text, UTF-8.
void require_json(std::string_view text, std::string_view what);
void require_visible_lines(std::string_view text, std::string_view what);

// One target a reader: it throws where `input` brings out a fault.
void fuzz_accepted(std::string_view input);
void fuzz_budgets(std::string_view input);  ///< two files, by halves()
void fuzz_history(std::string_view input);
void fuzz_journal(std::string_view input);
void fuzz_judge(std::string_view input);  ///< results of base and head, by halves()
void fuzz_prices(std::string_view input);
void fuzz_program_output(std::string_view input);
void fuzz_results(std::string_view input);
void fuzz_selftest(std::string_view input);
void fuzz_verdict(std::string_view input);  ///< and its forest plot

}  // namespace breakeven::gate::fuzz
