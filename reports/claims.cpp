#include "reports/claims.h"

#include <fmt/format.h>

#include <array>
#include <charconv>
#include <map>
#include <set>

#include "reports/claims_parts.h"
#include "reports/text.h"
#include "reports/words.h"

namespace breakeven {
namespace {

Judgement judge_ranks(const ClaimInput& input) {
  Judgement judgement;
  judgement.sentence =
      "No row runs a training step over several ranks: that needs steps over MPI or NCCL, which "
      "this suite doesn't have.";
  for (const Case& c : input.run.cases) {
    if (!c.segments.options.contains("ranks")) continue;
    judgement.sentence =
        "There are rows over several ranks, but no verdict on scaling is defined for them yet.";
    judgement.evidence.push_back(evidence(input.run, c.name, {&c}));
  }
  return judgement;
}

constexpr std::array kClaims = {
    Claim{1, "GPUs speed up matrix multiplication",
          "Every matmul pair: the strongest CPU row's time (packed weights aside) over the GPU's, "
          "from "
          "paired rounds, operands resident. “From size … on”: every measured pair of that size "
          "(∛(m·n·k)) or a "
          "larger one is surely faster on the GPU.",
          judge_matmul},
    Claim{2, "GPUs are up to 100 times faster than a CPU",
          "All pairs against three CPU baselines: the naive loop on one thread, the best tuned row "
          "on one thread, the best tuned row on all cores. It holds where the interval of one pair "
          "lies at 100x or above against the strongest CPU row; a weaker baseline can't carry it.",
          judge_hundredfold},
    Claim{3, "GPUs win because thousands of cores work at once",
          "Sweeps over square sizes: small work can't fill a GPU, so the CPU should win below a "
          "crossover and the GPU above it. Judged on every square pair of sweeps with two sizes or "
          "more, operands resident; where the CPU surely wins at no size, the sweeps don't reach "
          "low enough to tell. Transfers and the CPU's own scaling stand beside it.",
          judge_parallelism},
    Claim{
        4, "Tensor cores speed up training and inference",
        "The same work on the GPU in f32 over tf32, bf16, f16, fp8 or int8, from paired rounds of "
        "verified rows. These are ratios across precisions: no speedups, in no mean; the error "
        "stands beside each.",
        judge_tensor_cores},
    Claim{
        5, "Batch processing maximises GPU use",
        "Batch sweeps on the GPU: throughput at the largest batch over that at the smallest, from "
        "paired rounds. A sweep saturates at the first batch that is surely within 10 % of the "
        "best throughput.",
        judge_batches},
    Claim{
        6, "Managing data flow and memory bandwidth matters",
        "GPU time with upload and download at every call over the time on resident operands, from "
        "the same rounds, of every pair (of every GPU row where no CPU row is there). It matters "
        "where "
        "transfers surely cost 10 % or more in one of them.",
        judge_data_flow},
    Claim{
        7, "GPUs cut training time and speed up iteration",
        "Pairs of whole training steps: the strongest CPU step's time over the GPU's, from paired "
        "rounds, at the same model, size, precision and mode.",
        judge_training},
    Claim{8, "GPUs converge better: quicker to accuracy",
          "Training to a target from one seed and one order of data on both devices. Both curves "
          "must lie within the precision's bound around the reference's, step by step (the row's "
          "check); then the CPU's wall time to the target over the GPU's decides, from paired "
          "rounds.",
          judge_convergence},
    Claim{9, "Larger models and data sets become possible",
          "A row that one device refused or failed for want of memory, while the other device ran "
          "the same work verified.",
          judge_memory},
    Claim{10, "Inference is faster than training",
          "A whole step's time over that of inference alone, same model, size, implementation and "
          "precision, from paired rounds, on both devices.",
          judge_inference},
    Claim{11, "GPUs lower energy use and cost",
          "Joules per training step (or call, where there is no step) on the CPU over those on the "
          "GPU, from paired rounds, and the same of costs by the price file. Both must be surely "
          "lower, of all pairs or from some size on. A CPU package and a GPU board are different "
          "scopes.",
          judge_cost},
    Claim{12, "Data parallelism scales training",
          "The same training step over one and over several ranks: strong and weak scaling.",
          judge_ranks},
    Claim{13, "Model optimisation (fusion, mixed precision, graphs) raises utilisation",
          "Ablation of a training step on the GPU: how many times as fast the last stage in f32 is "
          "as the unfused one, from paired rounds. What bf16 brings is a ratio across precisions: "
          "told with its share of its own measured peak, and without a say in the verdict.",
          judge_ablation},
    Claim{
        14, "Frameworks give users this speed",
        "Training steps on the GPU: the framework's time over the best of ours, from paired rounds "
        "of verified rows. It holds where the framework is surely within 10 % of ours.",
        judge_frameworks},
    Claim{
        15, "Choosing a GPU: memory, parallelism and compatibility matter",
        "GPU rows of one name in several files: absolute times, side by side. It matters where of "
        "most of them the intervals on two GPUs don't meet. No ratio is taken across machines.",
        nullptr},
};

std::string gpu_of(const Run& run) {
  const std::string name = run.fact("gpu.name");
  return name.empty() ? "a GPU without a name" : name;
}

// Memory, and what could not run there: compatibility in figures.
std::string fits_text(const Run& run) {
  std::size_t skipped = 0;
  for (const Skipped& skip : run.results.skipped) {
    skipped += split_case_name(skip.name).device == "gpu";
  }
  std::string memory = run.fact("gpu.memory_bytes");
  double bytes = 0;
  std::from_chars(memory.data(), memory.data() + memory.size(), bytes);
  return fmt::format("{} ({}): {}, {} GPU rows skipped", gpu_of(run), run.label,
                     bytes > 0 ? format_bytes(bytes) + " of memory" : "memory unknown", skipped);
}

bool disjoint(const Interval& a, const Interval& b) { return a.high < b.low || b.high < a.low; }

}  // namespace

std::span<const Claim> claims() { return kClaims; }

std::string ruling_text(const Judgement& judgement) {
  switch (judgement.ruling) {
    case Ruling::holds:
      return "holds";
    case Ruling::holds_from:
      return "holds from " + judgement.from + " on";
    case Ruling::does_not_hold:
      return "does not hold here";
    case Ruling::not_measured:
      break;
  }
  return "not measured here";
}

Judgement judge_machines(const std::vector<Run>& runs) {
  Judgement judgement;
  std::vector<const Run*> with_gpu;
  std::set<std::string> names;
  for (const Run& run : runs) {
    if (!run.has_gpu_rows()) continue;
    with_gpu.push_back(&run);
    names.insert(gpu_of(run));
  }
  if (names.size() < 2) {
    judgement.sentence = fmt::format(
        "That needs results of two GPUs or more; {} here. Give `breakeven report` further files.",
        names.empty() ? "none is" : "only one (" + *names.begin() + ") is");
    return judgement;
  }
  std::map<std::string, std::vector<Evidence::RowOf>> shared;
  for (const Run* run : with_gpu) {
    for (const Case& c : run->cases) {
      if (c.segments.device == "gpu" && c.verified()) shared[c.name].push_back({run, &c});
    }
  }
  int apart = 0;
  int alike = 0;
  for (const auto& [name, rows] : shared) {
    std::string times;
    bool differ = false;
    bool comparable = false;
    for (const Evidence::RowOf& a : rows) {
      const Estimate& time = *a.row->seconds;
      times += fmt::format("{}{} {}", times.empty() ? "" : ", ", a.run->label,
                           format_seconds(time.value));
      for (const Evidence::RowOf& b : rows) {
        const Estimate& other = *b.row->seconds;
        if (gpu_of(*a.run) == gpu_of(*b.run) || !time.interval.decides() ||
            !other.interval.decides()) {
          continue;
        }
        comparable = true;
        differ = differ || disjoint(time.interval, other.interval);
      }
    }
    if (!comparable) continue;
    ++(differ ? apart : alike);
    judgement.evidence.push_back({fmt::format("{}: {}", name, times), rows});
  }
  std::vector<std::string> parts;
  for (const Run* run : with_gpu) parts.push_back(fits_text(*run));
  if (apart + alike == 0) {
    judgement.sentence = fmt::format(
        "{} GPUs are here, but no verified row of one name with an interval on two of them. {}.",
        names.size(), joined_parts(parts));
    return judgement;
  }
  judgement.ruling = apart > alike ? Ruling::holds : Ruling::does_not_hold;
  judgement.sentence = fmt::format(
      "Of {} GPU rows that two GPUs or more have, {} differ beyond their intervals and {} don't. "
      "{}.",
      apart + alike, apart, alike, joined_parts(parts));
  return judgement;
}

}  // namespace breakeven
