#include "bench/rows.h"

namespace breakeven {
namespace {

std::string label_of(const Facts& facts) {
  std::string label;
  for (const auto& [key, value] : facts) {
    if (!label.empty()) label += "; ";
    label.append(key).append("=").append(value);
  }
  return label;
}

Json row_head(const std::string& name) {
  return {{"name", name}, {"run_name", name}, {"run_type", "iteration"}};
}

void add_transfers(Json& row, const Transfers& transfers) {
  add_finite(row, "upload_seconds", transfers.upload_seconds);
  add_finite(row, "download_seconds", transfers.download_seconds);
  add_finite(row, "upload_pageable_seconds", transfers.upload_pageable_seconds);
  add_finite(row, "download_pageable_seconds", transfers.download_pageable_seconds);
}

}  // namespace

Json measured_row(const Case& c, bool on_gpu, const CaseFacts& facts, const Sample& sample,
                  int repetition, int repetitions) {
  const double calls = static_cast<double>(sample.calls);
  const Cost cost = c.workload->cost(c.precision);
  Json row = row_head(c.name);
  row["repetitions"] = repetitions;
  row["repetition_index"] = repetition;
  row["threads"] = c.options.threads;
  row["iterations"] = sample.calls;
  row["real_time"] = 1e9 * sample.batch.seconds / calls;
  row["cpu_time"] = 1e9 * sample.cpu_seconds / calls;
  row["time_unit"] = "ns";
  for (const auto& [dimension, value] : c.workload->dimensions()) row[dimension] = value;
  const Layer& layer = c.workload->layer();
  if (!layer.network.empty()) {
    row["network"] = layer.network;
    row["layer"] = layer.name;
    row["times"] = layer.times;
  }
  add_finite(row, "flops", cost.flops);
  add_finite(row, "bytes", cost.bytes);
  if (const Items items = c.workload->items(); items.count > 0) {
    row["items"] = items.count;
    row["items_name"] = items.name;
    add_finite(row, "items_per_second", items.count * calls / sample.batch.seconds);
  }
  add_check(row, facts.check);
  row["verify_method"] = facts.check.method;
  row["prepare_seconds"] = facts.prepare_seconds;
  add_transfers(row, facts.transfers);
  if (on_gpu) add_finite(row, "host_seconds", sample.batch.host_seconds / calls);
  add_finite(row, "clock_mhz", sample.batch.clock_mhz);
  if (sample.batch.throttled) row["throttled"] = *sample.batch.throttled ? 1 : 0;
  if (sample.batch.launch_gaps) row["launch_gaps"] = 1;
  if (sample.peak_bytes) row["peak_bytes"] = *sample.peak_bytes;
  add_finite(row, "energy_joules", facts.energy_joules);
  if (!facts.kernel.empty()) row["label"] = label_of(facts.kernel);
  return row;
}

Json error_row(const std::string& name, const Failure& failure) {
  Json row = row_head(name);
  row["error_occurred"] = true;
  row["error_message"] = failure.reason;
  if (failure.check) add_check(row, *failure.check);
  return row;
}

}  // namespace breakeven
