// What a report says, computed from results files: cases, ceilings, pairs, crossovers. No text
// formats here; nothing is estimated that was not measured.
#pragma once

#include <map>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "reports/results.h"
#include "reports/statistics.h"

namespace breakeven {

/// One round of a case: its samples in order, and their median.
struct Round {
  int number = 0;
  std::optional<int> process;
  std::vector<double> seconds;  ///< per call, one per repetition
  double median_seconds = 0;
  std::optional<double> every_call_seconds;  ///< median of call + pinned upload + download
  std::optional<double> joules;              ///< median per call, where every repetition has it
};

/// A row of the page: every round of one name in one file.
struct Case {
  std::string name;
  CaseName segments;
  int threads = 0;
  std::vector<Round> rounds;           ///< in order of their numbers; empty where the case failed
  std::optional<Estimate> seconds;     ///< over rounds; absent where the case failed
  std::optional<std::string> failure;  ///< the first reason, where any round failed
  int failed_rows = 0;
  FlatMap<double> counters;  ///< median over all samples
  FlatMap<std::string> texts;
  std::optional<Stopping> stopping;
  bool right = false;  ///< its answers were checked, and the largest error lies within the limit
  std::optional<double> share_of_ceiling;  ///< of the measured ceiling named below
  std::string ceiling;                     ///< its case name

  RoundValues round_seconds() const;
  std::optional<double> counter(std::string_view key) const;
  /// Work per second at the median time; absent where the case failed or counts no such work.
  std::optional<double> flops_per_second() const;
  std::optional<double> bytes_per_second() const;
  /// The text of that name, "" where there is none.
  std::string text(std::string_view key) const;
  /// Timed and right: only such a case may enter a ratio.
  bool verified() const { return seconds && right; }
  /// Sets `right` from the counters `error` and `tolerance`.
  void check_error();
  std::size_t samples() const;
};

/// A measured limit of one device: the fastest row of its kind at one precision and thread count.
struct Ceiling {
  std::string device;
  std::string precision;  ///< of the arithmetic; empty for memory
  int threads = 0;
  double per_second = 0;  ///< flops or bytes
  std::string name;       ///< the case that reached it
};

/// The best of several implementations, without rewarding luck: in each round the one that was
/// fastest in the *other* rounds is taken, and its value in this round is reported.
struct Best {
  RoundValues seconds;
  RoundValues every_call_seconds;          ///< where every chosen case has transfers
  std::map<const Case*, int> chosen;       ///< in how many rounds
  bool chosen_on_reported_rounds = false;  ///< one round only: nothing else to choose on

  /// The case that was chosen most often. Requires a non-empty choice.
  const Case& favourite() const;
};

/// The GPU of a pair against one kind of CPU row.
struct Against {
  Best cpu;
  Estimate speedup;  ///< operands resident
};

/// Calls that share one upload and one download where transfers happen "once".
inline constexpr int kOnceCalls = 100;

/// GPU against CPU on one workload, precision and mode, in one run of one machine. Ratios are CPU
/// seconds over GPU seconds: above 1 the GPU is faster.
struct Pair {
  std::string op;
  std::string shape;
  std::string precision;
  std::string mode;  ///< options that both sides share, such as "cache:cold"
  double size = 0;   ///< see case_size
  bool square = false;
  bool rival = false;  ///< the CPU has a tuned row; the naive loop alone enters no answer
  Best gpu;
  Best cpu;
  std::vector<double> log_ratios;      ///< by round, resident operands
  Estimate speedup;                    ///< operands already on the device
  std::optional<Estimate> once;        ///< one upload and download in kOnceCalls calls
  std::optional<Estimate> every_call;  ///< upload and download at every call
  // Three baselines beside `cpu`, the strongest row, which alone counts; each where it was
  // measured.
  std::optional<Against> naive;       ///< the one-thread loop, named as the strawman it is
  std::optional<Against> one_thread;  ///< the best tuned row on one thread
  std::optional<Against> all_cores;   ///< the best tuned row at the default number of threads
  /// Calls on resident inputs from which the GPU wins with one upload and one download.
  std::optional<double> breakeven_calls;
};

/// What one ratio says; undecided where its interval holds 1 or there is none.
enum class Verdict { gpu_wins, undecided, cpu_wins };

/// Where the GPU starts to win along a sweep of sizes: between the last size at which it surely
/// doesn't and the first from which it surely does ("surely": the ratio's interval excludes 1).
struct Crossover {
  std::optional<double> cpu_wins_to;    ///< absent: the CPU surely wins nowhere
  std::optional<double> gpu_wins_from;  ///< absent: the GPU surely wins at no end of the sweep
  std::optional<double> interpolated;   ///< where the ratio passes 1, log-log
  std::vector<std::pair<double, Verdict>> verdicts;  ///< of every size, in order of size
};

/// When operands move: before the first call, once in kOnceCalls calls, or at every call.
enum class Transfers { resident, once, every_call };

/// Each absent where fewer than two sizes have such ratios.
struct Crossovers {
  std::optional<Crossover> resident;
  std::optional<Crossover> once;
  std::optional<Crossover> every_call;

  const std::optional<Crossover>& of(Transfers transfers) const;
};

/// Geometric means over one set of pairs against each CPU baseline, so that they can be compared.
struct BaselineMeans {
  std::vector<const Pair*> pairs;  ///< those that have every baseline which any pair has
  std::optional<Estimate> naive;   ///< absent where no pair has it, or no round has every pair
  std::optional<Estimate> one_thread;
  std::optional<Estimate> all_cores;
  std::optional<Estimate> strongest;
};

/// The answer for one operation, precision and mode.
struct Answer {
  std::string op;
  std::string precision;
  std::string mode;
  std::vector<const Pair*> pairs;          ///< in order of size
  std::optional<Estimate> geometric_mean;  ///< over rounds that every pair has
  BaselineMeans baselines;
  const Pair* worst = nullptr;
  const Pair* best = nullptr;
  Crossovers crossovers;  ///< along squares
};

/// All layers of one network at one batch by one implementation, warm, at the default number of
/// threads.
struct NetworkSum {
  std::string network;
  double batch = 0;       ///< images; 0 where the operation has none
  int covered = 0;        ///< layers that rows stand for, each as often as the network has it
  int layers = 0;         ///< of the network; 0 where the file doesn't say
  bool no_round = false;  ///< every layer is there, but no round has them all
  std::vector<std::string> missing;  ///< distinct layers without a row, as "name (failed)"
  /// op/network_nBATCH/device/implementation/precision. Its rounds are the sums of those of the
  /// layers, in the rounds that all layers have; `seconds` is absent where the sum is incomplete.
  /// `error` is the layers' largest, as a share of its limit, where all are verified.
  Case total;

  bool complete() const { return total.seconds.has_value(); }
};

/// GPU against CPU along the batch sizes of one layer, of one network's sum or of one model.
struct BatchSeries {
  std::string op;
  std::string precision;
  std::string mode;
  std::string name;  ///< "resnet50_conv1", "resnet50"; of a model's sizes "cifar_b"
  bool whole_network = false;
  Crossovers crossovers;  ///< sizes are images or sequences; `resident` is always there
};

/// Work that several implementations did, by device and precision.
struct Work {
  std::string op;
  std::string shape;
  std::string mode;
  std::map<std::string, std::vector<const Case*>> gpu;  ///< by precision
  std::map<std::string, std::vector<const Case*>> cpu;
};

/// f32 over another precision on the same work and device: across precisions, so no speedup.
struct PrecisionGain {
  const Work* work;
  std::string precision;
  const Case* f32;    ///< the favourite of the best by the other rounds, as is
  const Case* other;  ///< this one
  Estimate ratio;     ///< above 1 where the other precision is faster
};

/// One file: a machine and a run.
struct Run {
  Run() = default;
  Run(Run&&) = default;  ///< keeps the pointers of pairs and answers valid; a copy would not
  Run& operator=(Run&&) = default;

  std::string label;             ///< A, B, …: how the page refers to it
  Results results;               ///< without its rows, of which the cases are made
  std::vector<Case> cases;       ///< sorted by operation, size, shape, device, …
  std::vector<Ceiling> compute;  ///< in order of device, precision and threads
  std::vector<Ceiling> memory;   ///< likewise
  std::vector<Pair> pairs;
  std::vector<Answer> answers;
  std::vector<std::pair<std::string, std::string>> unpaired;  ///< GPU case, why it has no ratio
  std::vector<NetworkSum> networks;       ///< by network, batch, operation, precision, …
  std::vector<Pair> network_pairs;        ///< of complete sums
  std::vector<BatchSeries> batch_series;  ///< by operation, precision, mode and name
  std::vector<Work> work;                 ///< by operation, shape and mode
  std::vector<PrecisionGain> cpu_gains;   ///< in order of the work and of the precisions' names
  std::vector<PrecisionGain> gpu_gains;   ///< likewise

  bool has_gpu_rows() const;
  /// Whether a row's time may stand for its work: its answer was checked and right, or these are
  /// rows of another program than `breakeven run`, which says nothing of its answers.
  bool trusts(const Case& c) const { return results.schema == 0 || c.verified(); }
  std::string fact(const std::string& key) const;  ///< empty where unknown
};

/// Measured through a framework by tools/peers, for comparison: neither ours nor a rival in pairs.
bool is_framework(const Case& c);

/// Weights packed outside the time: another promise to the caller, so compared with no other row.
bool is_packed(const Case& c);

/// The one-thread i-j-k loop: shown as a strawman, never a rival.
bool is_naive(const Case& c);

/// Transfers are inside its time (`handwritten_pipeline`), so it is compared with no resident row.
bool is_pipeline(const Case& c);

/// One of the conv2d operations.
bool is_convolution(const Case& c);

/// The edge of the cube of equal work, cbrt(m n k), where the row says m, n and k; of a convolution
/// its flops per call; else bytes or flops per call; 0 where it says nothing.
double case_size(const Case& c);

/// m = n = k.
bool is_square(const Case& c);

/// False for a stream row that moves less than four times the device's last cache ("cpu.l3_bytes"
/// or "gpu.l2_bytes"; 256 MiB where that fact is missing): caches may serve it.
bool moves_memory(const Run& run, const Case& c);

/// The cases of one operation, which stand together.
std::span<const Case> cases_of(const Run& run, const std::string& op);

/// Calls `use` with each stretch of cases that `same` puts together with the first of it. In
/// run.cases the cases of one operation, shape, device, precision and implementation stand
/// together, and so do those that share the first two, three or four of these.
template <typename Same, typename Use>
void for_each_stretch(std::span<const Case> cases, Same same, Use use) {
  while (!cases.empty()) {
    std::size_t size = 1;
    while (size < cases.size() && same(cases.front(), cases[size])) ++size;
    use(cases.first(size));
    cases = cases.subspan(size);
  }
}

/// Same operation, shape, device and precision.
bool same_work(const Case& a, const Case& b);

/// The options without those named, as "key:value key:value".
std::string options_text(const CaseName& name, const std::vector<std::string>& without = {});

/// Merges rows into cases, with why each stopped. A case of which any row failed has no times: what
/// can be wrong in one round can't be trusted in the others.
std::vector<Case> aggregate(std::vector<Row> rows, const std::vector<Stopping>& stopping);

/// The best of cases that measured the same work. Requires verified or at least timed cases.
Best best_by_other_rounds(const std::vector<const Case*>& candidates);

Crossover find_crossover(const std::vector<std::pair<double, Estimate>>& ratio_by_size);

/// Along pairs by size.
Crossovers find_crossovers(const std::vector<std::pair<double, const Pair*>>& pairs);

struct Pairing {
  std::vector<Pair> pairs;
  std::vector<std::pair<std::string, std::string>> unpaired;  ///< GPU case, why it has no ratio
};

/// Which of these cases may be compared, and the ratios. The pairs point to the cases.
Pairing pair_up(const std::vector<const Case*>& cases);

/// Fills pairs, answers and unpaired from the run's cases.
void find_pairs(Run& run);

/// Fills networks and network_pairs from the run's cases and facts.
void find_networks(Run& run);

/// Fills batch_series from pairs and network_pairs.
void find_batch_series(Run& run);

/// Fills work: verified rows of ours, neither naive nor packed nor peak nor stream nor with
/// transfers inside, by what they compute; and the gains of precisions.
void find_work(Run& run);

/// Sets the share of the measured ceiling that a case reaches, where there is one.
void apply_ceiling(const Run& run, Case& c);

/// Everything above for one file. The pairs point into the run's cases: move it, don't copy it.
Run make_run(Results results, std::string label);

}  // namespace breakeven
