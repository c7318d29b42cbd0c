// The help texts of `breakeven gate …`.
#pragma once

#include <span>

#include "tools/breakeven/help.h"

namespace breakeven {

/// Of `gate` itself first, then of each of its commands, named "gate run".
std::span<const CommandHelp> gate_helps();

}  // namespace breakeven
