// Parts of the Markdown report; each is "" where there are no rows for it.
#pragma once

#include <string>

#include "reports/words.h"

namespace breakeven {

/// A name as code where that is safe, so that it reads well in a terminal; else escaped.
std::string code(const std::string& name);

// markdown_claims.cpp: claim and verdict, a line each.
std::string claims_markdown(const Page& page);
// markdown_changes.cpp: the verdict in a line and its changed rows, then what histories show
std::string changes_markdown(const Page& page);

// markdown_training.cpp
std::string training_steps_markdown(const Run& run);
std::string frameworks_markdown(const Run& run);
std::string ablations_markdown(const Run& run);
std::string convergences_markdown(const Run& run);

}  // namespace breakeven
