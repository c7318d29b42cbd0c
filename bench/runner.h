// Takes cases through their sessions, one in memory at a time, and keeps what came of them.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "bench/events.h"
#include "bench/session.h"

namespace breakeven {

/// What came of a case. At most one of `skipped`, `failure` and `rows` holds something, except that
/// a case that fails late loses its rows: a wrong or broken case has no time.
struct Record {
  std::int64_t calls_per_batch = 0;  ///< 0 until calibrated; the same for every repetition
  std::vector<Sample> samples;
  std::vector<Json> rows;              ///< one per sample
  std::optional<std::string> skipped;  ///< why it can't be done here
  std::optional<Failure> failure;
  CaseFacts facts;

  bool finished() const { return skipped.has_value() || failure.has_value(); }
};

class Runner {
 public:
  /// `device` and `events` outlive the runner, and so do the cases given to it.
  Runner(Device& device, Policy policy, int repetitions, Events& events);

  /// Makes `c` the case in memory: loaded, verified, warm and calibrated. Emits `start` the first
  /// time, and `skip` or `error` where that is how it ends; a case that was skipped or failed stays
  /// so.
  const Record& open(const Case& c);

  /// Measures one more batch of `c`, opening it where it isn't open. Emits `rows` after the last
  /// repetition, or `error`.
  const Record& next_batch(const Case& c);

  /// Loads and verifies `c` without timing it. Emits `start`, and `verified`, `skip` or `error`.
  const Record& verify(const Case& c);

  /// The record of a case that was begun, or nullptr.
  const Record* find(const std::string& name) const;

  int errors() const { return errors_; }
  int repetitions() const { return repetitions_; }

 private:
  void load_and_verify(const Case& c, Record& record);
  template <class Work>
  void guarded(const Case& c, Record& record, Work work);

  Device& device_;
  Policy policy_;
  int repetitions_;
  Events& events_;
  std::unique_ptr<Session> session_;
  std::map<std::string, Record> records_;
  int errors_ = 0;
};

}  // namespace breakeven
