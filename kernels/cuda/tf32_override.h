// NVIDIA_TF32_OVERRIDE, the variable by which a user overrules every library's choice of TF32.
#pragma once

#include <string>
#include <string_view>

#include "reference/precision.h"

namespace breakeven {

/// Why the environment makes this precision something else, or "". `tf32_override` is
/// NVIDIA_TF32_OVERRIDE (null: unset), which forces every call of cuBLAS and cuDNN to TF32 or away
/// from it.
inline std::string environment_conflict(Precision precision, const char* tf32_override) {
  if (!tf32_override || !*tf32_override) return "";
  const bool forced_on = std::string_view(tf32_override) != "0";
  if (precision == Precision::f32 && forced_on) {
    return "NVIDIA_TF32_OVERRIDE forces TF32 on f32; unset it";
  }
  if (precision == Precision::tf32 && !forced_on) {
    return "NVIDIA_TF32_OVERRIDE=0 switches TF32 off; unset it";
  }
  return "";
}

}  // namespace breakeven
