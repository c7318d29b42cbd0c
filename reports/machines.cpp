#include "reports/machines.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <optional>
#include <tuple>
#include <unordered_map>

namespace breakeven {
namespace {

constexpr std::array kHardwareKeys = {"cpu.model", "cpu.sockets", "cpu.cores", "cpu.threads",
                                      "cpu.quota", "gpu.name",    "num_cpus",  "caches"};

// What a row did, beside its name: shapes of one's own may share one.
using Amount = std::tuple<std::optional<double>, std::optional<double>>;

Amount amount_of(const Case& c) { return {c.counter("flops"), c.counter("bytes")}; }

// op, shape, precision, the amount, and how it was measured.
using Workload = std::tuple<std::string, std::string, std::string, Amount, std::string>;

std::string method_of(const Run& run) { return run.fact("method_version"); }

/// Warm, with nothing else that would make it another workload, and a row that a pair may hold.
bool comparable(const Case& c) {
  return c.verified() && c.segments.op != "peak" && !is_framework(c) && !is_packed(c) &&
         !is_pipeline(c) && !is_naive(c) && options_text(c.segments, {"launch"}).empty();
}

MachineTime fastest(const Run& run, const std::string& device,
                    const std::vector<const Case*>& cases) {
  const Best best = best_by_other_rounds(cases);
  std::vector<double> values;
  for (const auto& [round, seconds] : best.seconds) values.push_back(seconds);
  return {&run, device, &best.favourite(), median_estimate(values)};
}

/// Runs of two machines or more.
bool several_machines(const std::vector<MachineTime>& times) {
  return std::any_of(times.begin(), times.end(), [&](const MachineTime& time) {
    return time.run != times.front().run && !same_machine(*time.run, *times.front().run);
  });
}

}  // namespace

std::map<std::string, std::string> hardware_facts(
    const std::map<std::string, std::string>& context) {
  std::map<std::string, std::string> hardware;
  for (const char* key : kHardwareKeys) {
    const auto found = context.find(key);
    if (found != context.end() && !found->second.empty()) hardware.insert(*found);
  }
  return hardware;
}

bool same_machine(const Run& a, const Run& b) {
  const auto hardware = hardware_facts(a.results.context);
  return hardware.contains("cpu.model") && hardware == hardware_facts(b.results.context);
}

std::vector<Rerun> reruns(const std::vector<Run>& runs) {
  std::vector<const Run*> order;
  for (const Run& run : runs) order.push_back(&run);
  std::stable_sort(order.begin(), order.end(),
                   [](const Run* a, const Run* b) { return a->fact("date") < b->fact("date"); });
  // Results of another method are no earlier state of these.
  std::map<std::pair<std::map<std::string, std::string>, std::string>, const Run*> last;
  std::vector<Rerun> found;
  for (const Run* run : order) {
    const auto hardware = hardware_facts(run->results.context);
    if (!hardware.contains("cpu.model")) continue;
    const Run*& before = last[{hardware, method_of(*run)}];
    if (before != nullptr) found.push_back({before, run});
    before = run;
  }
  return found;
}

std::vector<Rerow> rerows(const Rerun& rerun) {
  std::unordered_map<std::string_view, const Case*> before;
  for (const Case& c : rerun.before->cases) {
    if (c.seconds && rerun.before->trusts(c)) before.emplace(c.name, &c);
  }
  std::vector<Rerow> rows;
  for (const Case& c : rerun.after->cases) {
    const auto found = c.seconds && rerun.after->trusts(c) ? before.find(c.name) : before.end();
    if (found == before.end() || amount_of(*found->second) != amount_of(c) ||
        found->second->threads != c.threads) {
      continue;
    }
    rows.push_back({found->second, &c, c.seconds->value / found->second->seconds->value});
  }
  std::stable_sort(rows.begin(), rows.end(), [](const Rerow& a, const Rerow& b) {
    return std::abs(std::log(a.ratio)) > std::abs(std::log(b.ratio));
  });
  return rows;
}

std::vector<AcrossMachines> across_machines(const std::vector<Run>& runs) {
  std::map<Workload, std::size_t> places;
  std::vector<AcrossMachines> all;
  for (const Run& run : runs) {
    std::map<Workload, std::map<std::string, std::vector<const Case*>>> cases;
    std::vector<Workload> order;
    for (const Case& c : run.cases) {
      if (!comparable(c)) continue;
      Workload workload{c.segments.op, c.segments.shape, c.segments.precision, amount_of(c),
                        method_of(run)};
      auto& devices = cases[workload];
      if (devices.empty()) order.push_back(std::move(workload));
      devices[c.segments.device].push_back(&c);
    }
    for (const Workload& workload : order) {
      const auto [place, added] = places.try_emplace(workload, all.size());
      if (added) {
        const auto& [op, shape, precision, amount, method] = workload;
        all.push_back({op, shape, precision, {}});
      }
      for (const auto& [device, candidates] : cases[workload]) {
        all[place->second].times.push_back(fastest(run, device, candidates));
      }
    }
  }
  std::erase_if(all, [](const AcrossMachines& one) { return !several_machines(one.times); });
  return all;
}

const MachineTime* reference_of(const AcrossMachines& workload, const MachineTime& time,
                                const Run& first) {
  const MachineTime* cpu = nullptr;
  for (const MachineTime& other : workload.times) {
    if (other.run != &first) continue;
    if (other.device == time.device) return &other;
    if (other.device == "cpu") cpu = &other;
  }
  return cpu;
}

}  // namespace breakeven
