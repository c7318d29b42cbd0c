// A step's expected answer on the disk: the processes of a run, which each check every step that
// they time, take the fp64 runs once.
#pragma once

#include "reference/training/training_check.h"

namespace breakeven {

/// The environment variable that names the folder; `breakeven run` sets it. A folder belongs to one
/// build's run: what lies there is believed where it is of the same model, sizes and precision.
inline constexpr const char* kAnswersVariable = "BREAKEVEN_ANSWERS";

/// expected_answer(), or what an earlier call left in the folder. Without the variable, or where
/// the folder can't be used, nothing is kept.
ExpectedAnswer kept_answer(const TrainingStep& step, Precision precision);

}  // namespace breakeven
