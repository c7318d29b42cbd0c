#include "bench/runner.h"

#include <new>
#include <utility>

#include "bench/rows.h"

namespace breakeven {

Runner::Runner(Device& device, Policy policy, int repetitions, Events& events)
    : device_(device), policy_(std::move(policy)), repetitions_(repetitions), events_(events) {}

const Record* Runner::find(const std::string& name) const {
  const auto found = records_.find(name);
  return found == records_.end() ? nullptr : &found->second;
}

const Record& Runner::open(const Case& c) {
  Record& record = records_[c.name];
  if (record.finished() || (session_ && &session_->what() == &c)) return record;
  if (record.samples.empty()) events_.start(c.name);
  guarded(c, record, [&] {
    load_and_verify(c, record);
    session_->settle(record.calls_per_batch);
    record.calls_per_batch = session_->calls_per_batch();
    record.facts = session_->facts();
  });
  return record;
}

const Record& Runner::next_batch(const Case& c) {
  open(c);
  Record& record = records_[c.name];
  if (record.finished()) return record;
  guarded(c, record, [&] {
    record.samples.push_back(session_->batch());
    record.rows.push_back(measured_row(c, device_.kind() == "gpu", record.facts,
                                       record.samples.back(), static_cast<int>(record.rows.size()),
                                       repetitions_));
  });
  if (record.rows.size() == static_cast<std::size_t>(repetitions_)) {
    session_.reset();  // first: a kernel that crashes as it is torn down is still this case's
    events_.rows(c.name, record.rows);
  }
  return record;
}

const Record& Runner::verify(const Case& c) {
  Record& record = records_[c.name];
  events_.start(c.name);
  guarded(c, record, [&] { load_and_verify(c, record); });
  session_.reset();
  if (!record.finished()) events_.verified(c.name, record.facts.check);
  return record;
}

void Runner::load_and_verify(const Case& c, Record& record) {
  session_.reset();  // before the next allocates: two cases may not fit beside each other
  session_ = std::make_unique<Session>(c, device_, policy_);
  if (!c.unsupported.empty()) throw Unsupported(c.unsupported);
  session_->load();
  session_->verify();
  record.facts = session_->facts();
}

template <class Work>
void Runner::guarded(const Case& c, Record& record, Work work) {
  const auto fail = [&](Failure failure) { record.failure = std::move(failure); };
  try {
    work();
  } catch (const Unsupported& reason) {
    record.skipped = reason.what();
  } catch (const WrongAnswer& wrong) {
    fail({wrong.what(), wrong.check()});
  } catch (const std::bad_alloc&) {
    fail({"out of memory", std::nullopt});
  } catch (const std::exception& error) {
    fail({error.what(), std::nullopt});
  } catch (...) {
    fail({"threw something that is not a std::exception", std::nullopt});
  }
  if (!record.finished()) return;
  session_.reset();
  record.samples.clear();
  record.rows.clear();
  if (record.failure) {
    ++errors_;
    events_.error(c.name, *record.failure);
  } else {
    events_.skip(c.name, *record.skipped);
  }
}

}  // namespace breakeven
