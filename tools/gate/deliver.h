// From flags to a judgement, and from a judgement to everything that is written of it.
#pragma once

#include <filesystem>

#include "tools/gate/commands.h"
#include "tools/gate/judge.h"

namespace breakeven::gate {

/// Reads what the flags name: accepted.json, a selftest's rows, budgets. Throws std::runtime_error
/// with one line where a file or value is no such thing. `context` is of the head's first file; its
/// "date" is today, unless the flags say another.
JudgeOptions judge_options(const JudgeFlags& flags, const Facts& context);

/// The counters of `flags.exact` beside the default ones.
std::vector<ExactCounter> exact_counters(const JudgeFlags& flags);

/// Prints the judgement; on GitHub also its ::error lines. Into `directory`, if not empty:
/// verdict.json, verdict.md, junit.xml. Into `flags.history`, if given: head's medians. Returns the
/// exit status.
int deliver(const Judgement& judgement, const Samples& head, const JudgeFlags& flags,
            const std::filesystem::path& directory);

}  // namespace breakeven::gate
