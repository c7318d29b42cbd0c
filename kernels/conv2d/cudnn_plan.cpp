#include "kernels/conv2d/cudnn_plan.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <exception>
#include <limits>
#include <optional>
#include <set>
#include <string_view>
#include <utility>

namespace breakeven::conv2d {
namespace {

constexpr std::array<std::pair<PlanNote, std::string_view>, 12> kNoteNames = {{
    {PlanNote::tensor_core, "tensor_core"},
    {PlanNote::down_convert_inputs, "down_convert_inputs"},
    {PlanNote::reduced_precision_reduction, "reduced_precision_reduction"},
    {PlanNote::fft, "fft"},
    {PlanNote::nondeterministic, "nondeterministic"},
    {PlanNote::winograd, "winograd"},
    {PlanNote::winograd_tile_4x4, "winograd_tile_4x4"},
    {PlanNote::winograd_tile_6x6, "winograd_tile_6x6"},
    {PlanNote::winograd_tile_13x13, "winograd_tile_13x13"},
    {PlanNote::strict_nan_prop, "strict_nan_prop"},
    {PlanNote::reordered_operands, "reordered_operands"},
    {PlanNote::runtime_compilation, "runtime_compilation"},
}};

PlanNotes winograd_notes() {
  using enum PlanNote;
  return plan_notes({winograd, winograd_tile_4x4, winograd_tile_6x6, winograd_tile_13x13});
}

bool is_allowed(PlanNotes notes, const PlanRules& rules) {
  return (notes & rules.forbidden) == 0 && (rules.one_of == 0 || (notes & rules.one_of) != 0);
}

void note_reason(PlanTally& tally, const std::exception& error) {
  if (tally.first_reason.empty()) tally.first_reason = one_line(error.what());
}

// The workspace of the plan, or nothing where it isn't to be had; `tally` says why.
std::optional<std::size_t> built(PlanSource& source, std::size_t plan, std::size_t most_bytes,
                                 PlanTally& tally) {
  try {
    const std::size_t bytes = source.build(plan);
    if (bytes <= most_bytes) return bytes;
    ++tally.too_large;
  } catch (const std::exception& error) {
    ++tally.unbuildable;
    note_reason(tally, error);
  }
  return std::nullopt;
}

// Seconds of a built plan, or infinity; `tally` says why.
double timed(PlanSource& source, std::size_t plan, double best, PlanTally& tally) {
  try {
    const double seconds = source.seconds(plan, best);
    if (std::isfinite(seconds)) {
      ++tally.timed;
      return seconds;
    }
    ++tally.failed;
  } catch (const NoWorkspace&) {
    ++tally.too_large;
  } catch (const std::exception& error) {
    ++tally.failed;
    note_reason(tally, error);
  }
  return std::numeric_limits<double>::infinity();
}

}  // namespace

std::string notes_text(PlanNotes notes) {
  std::string text;
  for (const auto& [note, name] : kNoteNames) {
    if ((notes & static_cast<PlanNotes>(note)) == 0) continue;
    text += text.empty() ? "" : " ";
    text += name;
  }
  return text.empty() ? "none" : text;
}

PlanRules plan_rules(Precision precision, Conv2dOp op, Algorithm algorithm, std::size_t free_bytes,
                     bool repeatable) {
  using enum PlanNote;
  PlanRules rules;
  rules.forbidden = plan_notes({down_convert_inputs, fft, reordered_operands});
  if (algorithm == Algorithm::winograd) {
    rules.one_of = winograd_notes();
  } else {
    rules.forbidden |= winograd_notes();
  }
  if (precision != Precision::fp8) rules.forbidden |= plan_notes({reduced_precision_reduction});
  if (precision == Precision::f32) rules.forbidden |= plan_notes({tensor_core});
  if (repeatable || op == Conv2dOp::backward_data || op == Conv2dOp::backward_weights) {
    rules.forbidden |= plan_notes({nondeterministic});
  }
  const std::size_t usable = free_bytes > kReservedBytes ? free_bytes - kReservedBytes : 0;
  rules.most_workspace_bytes = std::min(kMostWorkspaceBytes, usable);
  return rules;
}

std::string tally_text(const PlanTally& tally) {
  std::string text = std::to_string(tally.offered) + " offered";
  const auto add = [&text](std::size_t count, const char* what) {
    if (count > 0) text += ", " + std::to_string(count) + what;
  };
  add(tally.repeated, " repeated");
  add(tally.wrong_notes, " of other numerics");
  add(tally.unbuildable, " can't be built");
  add(tally.too_large, " want too much workspace");
  add(tally.failed, " failed");
  add(tally.timed, " timed");
  return text;
}

PlanChoice choose_plan(PlanSource& source, const PlanRules& rules) {
  PlanChoice best;
  best.seconds = std::numeric_limits<double>::infinity();
  PlanTally tally;
  tally.offered = source.size();
  std::set<std::string> seen;
  for (std::size_t plan = 0; plan < source.size(); ++plan) {
    if (!seen.insert(source.name(plan)).second) {
      ++tally.repeated;
      continue;
    }
    if (!is_allowed(source.notes(plan), rules)) {
      ++tally.wrong_notes;
      continue;
    }
    const auto bytes = built(source, plan, rules.most_workspace_bytes, tally);
    const double seconds =
        bytes ? timed(source, plan, best.seconds, tally) : std::numeric_limits<double>::infinity();
    if (seconds < best.seconds) {
      // Only one stays built: each holds code and perhaps tables on the device.
      if (std::isfinite(best.seconds)) source.release(best.plan);
      best.plan = plan;
      best.seconds = seconds;
      best.workspace_bytes = *bytes;
    } else {
      source.release(plan);
    }
  }
  best.tally = tally;
  if (std::isfinite(best.seconds)) return best;
  std::string reason = "cuDNN has no plan for this row: " + tally_text(tally);
  if (tally.too_large > 0) {
    reason += "; workspace limit: " + std::to_string(rules.most_workspace_bytes >> 20) + " MiB";
  }
  if (!tally.first_reason.empty()) reason += "; the first reason: " + tally.first_reason;
  throw Unsupported(reason);
}

std::string unsupported_precision(Precision precision, int compute_capability) {
  const auto needs = [compute_capability](int least, const char* text) {
    return std::string(compute_capability < least ? text : "");
  };
  switch (precision) {
    case Precision::tf32:
      return needs(80, "tf32 needs compute capability 8.0 or newer");
    case Precision::bf16:
      return needs(80, "bf16 needs compute capability 8.0 or newer");
    case Precision::fp8:
      return needs(89, "fp8 needs compute capability 8.9 or newer");
    default:
      return "";
  }
}

std::string refusal_text(const std::string& text) {
  constexpr std::string_view kWarning = "Warning: ";
  std::string reason = text.substr(0, text.find('{'));
  if (const std::size_t at = text.find(kWarning); at != std::string::npos) {
    const std::size_t from = at + kWarning.size();
    reason += " " + text.substr(from, text.find('\n', from) - from);
  }
  return one_line(reason);
}

std::string one_line(const std::string& text) {
  constexpr std::size_t kMost = 240;
  constexpr std::string_view kEllipsis = "...";
  std::string line;
  bool gap = false;
  for (const char each : text) {
    if (each == ' ' || each == '\n' || each == '\r' || each == '\t' || each == '\0') {
      gap = !line.empty();
      continue;
    }
    if (gap) line += ' ';
    gap = false;
    line += each;
  }
  if (line.size() > kMost) {
    line.resize(kMost - kEllipsis.size());
    line += kEllipsis;
  }
  return line;
}

}  // namespace breakeven::conv2d
