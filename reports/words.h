// The sentences of a report that every format shares, as plain text (not escaped).
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "reports/charts.h"
#include "reports/history.h"
#include "reports/model.h"
#include "reports/prices.h"
#include "reports/verdict.h"

namespace breakeven {

/// Everything a report is written from.
struct Page {
  std::vector<Run> runs;  ///< none where a verdict or a history is all there is to tell
  std::vector<Chart> charts;
  Prices prices;  ///< none where no price file was given
  std::optional<GateVerdict> verdict;
  std::vector<MachineHistory> histories;
  std::vector<std::string> torn;  ///< "file:line" of history lines that were passed over
  bool across_machines = false;   ///< ratios across machines were asked for
};

/// The best that one device reaches in one operation and precision: over shapes the fastest, at
/// each shape the best implementation by best_by_other_rounds.
struct Headline {
  std::string device;
  std::string op;
  std::string precision;
  const Case* favourite = nullptr;  ///< the implementation and shape
  Estimate seconds;                 ///< of the cross-chosen rounds
  double per_second = 0;            ///< flops, or bytes for stream
  std::optional<double> share_of_ceiling;
  int rounds_chosen = 0;   ///< rounds in which the favourite was the choice
  std::size_t shapes = 0;  ///< measured in this operation and precision
};

/// Warm rows at the default number of threads; peak rows are ceilings, not answers, and parts of a
/// training step stand in tables of their own.
std::vector<Headline> headlines(const Run& run);

/// "B: " before what is said of one of several runs; empty where there is one run only.
std::string run_cell(const Page& page, const Run& run);

/// GB/s of a stream row, GOP/s of integers (a multiplication and an addition are two), else
/// GFLOP/s.
const char* rate_unit(const std::string& op, const std::string& precision);

/// "310.3 GFLOP/s"
std::string rate_text(const std::string& op, const std::string& precision, double per_second);
std::optional<double> rate_of_case(const Case& c);

/// "openblas", "naive (a strawman)".
std::string implementation_text(const std::string& implementation);

/// The answer in one sentence or two: speedups where pairs exist, else that and why there are none,
/// and what the CPU reaches.
std::string answer_sentence(const Page& page);

/// The fastest complete sum of each network, batch and precision on the CPU, forward, as a sentence
/// with a space before it; empty where there is none.
std::string networks_sentence(const Run& run);

/// Why a run holds no GPU row: the modules' own reasons, in brief.
std::string gpu_absence(const Run& run);

/// "12.3x (11.9–12.8)"; an interval around 1 is "can't tell".
std::string ratio_text(const Estimate& ratio);

/// The same inside a sentence, as before "as fast": "12.3x (11.9–12.8)", "somewhere between 0.91x
/// and 1.12x".
std::string ratio_phrase(const Estimate& ratio);

/// What follows "GPU wins": "from a size between 512 and 768 (about 610) on", or, where it wins in
/// the middle of the sweep only, "at 512–2048; can't tell at 4096". `what` is swept: size, batch.
std::string crossover_text(const Crossover& crossover, const char* what = "size");

/// The same for an answer, with the reason where there is no sweep to tell from. Of a convolution:
/// in how many layers the GPU wins from some batch on.
std::string wins_text(const Run& run, const Answer& answer, Transfers transfers);

/// A case's sizes as people write them: of a convolution "n16 64x56x56 -> 128, 3x3, stride 2" and
/// "NCHW" where it isn't NHWC, of a matmul "1024x3072x768" (m, n, k); else empty.
std::string dimension_text(const Case& c);

/// "conv2d_forward of resnet50, n16".
std::string network_text(const NetworkSum& sum);

/// "53 of 53"; of an unknown network "4 of an unknown number".
std::string layers_text(const NetworkSum& sum);

/// The same in a sentence: "53 of 53 layers", "4 of an unknown number of layers".
std::string covered_text(const NetworkSum& sum);

/// "96.9 %"; of one sample "none".
std::string coverage_text(const Interval& interval);

/// The facts that matter most, with a name for people, in order; absent ones left out.
std::vector<std::pair<std::string, std::string>> machine_facts(const Run& run);
std::string machine_name(const Run& run);  ///< CPU, and GPU where there is one

/// What was not measured, each a sentence: unavailable modules, skipped rows by reason, refused
/// shapes, failures.
std::vector<std::string> not_measured(const Run& run);

/// What a reader must know before believing a number of these files.
std::vector<std::string> limitations(const Page& page);

/// The shell command that measures one case again (reproduce.cpp).
std::string reproduce_command(const Run& run, const Case& c);

/// The same for several: one command for the rows that `breakeven run` measures, one for those of a
/// framework on each device. Of more than a dozen rows it measures everything of their operations.
std::vector<std::string> reproduce_commands(const Run& run, const std::vector<const Case*>& cases);

}  // namespace breakeven
