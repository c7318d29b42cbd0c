// Inputs made of others, the same on every machine: a little fuzzing where there is no libFuzzer.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "tools/breakeven/random.h"

namespace breakeven::gate::fuzz {

/// `text` cut into JSON's tokens and whatever stands between them; together they are `text`.
std::vector<std::string_view> tokens_of(std::string_view text);

/// `texts[chosen]` with one to four changes: a bit flipped, bytes cut out or said twice, a part of
/// another text put in, a token replaced by one of `words` or by another token of its own.
std::string mutated(const std::vector<std::string>& texts, std::size_t chosen,
                    const std::vector<std::string>& words, Random& random);

}  // namespace breakeven::gate::fuzz
