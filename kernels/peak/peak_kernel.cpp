#include "kernels/peak/peak_kernel.h"

#include <omp.h>

#include <cstring>

#include "kernels/host/host_kernel.h"
#include "reference/peak.h"

namespace breakeven::peak {
namespace {

class PeakKernel final : public HostKernel {
 public:
  PeakKernel(const Workload& workload, const Ceiling& ceiling, int threads)
      : HostKernel(workload, ceiling.precision),
        body_(ceiling.body),
        instructions_(Peak::kFmas / ceiling.fmas_per_instruction),
        threads_(threads) {}

  // Each thread's share differs by one instruction at the most.
  void run() override {
    const std::byte* a = input(0).data();
    const std::byte* step = input(1).data();
    double sum = 0;
#pragma omp parallel num_threads(threads_) reduction(+ : sum)
    {
      const std::int64_t thread = omp_get_thread_num();
      const std::int64_t begin = instructions_ * thread / threads_;
      const std::int64_t end = instructions_ * (thread + 1) / threads_;
      sum += body_(end - begin, a, step);
    }
    std::memcpy(result().data(), &sum, sizeof sum);
  }

 private:
  Body body_;
  std::int64_t instructions_;
  int threads_;
};

}  // namespace

void add_ceilings(Registry& registry, const std::vector<Ceiling>& ceilings) {
  Implementation peak;
  peak.op = "peak";
  peak.name = ceilings.front().name;
  peak.caches = {Cache::warm};
  for (const Ceiling& ceiling : ceilings) peak.precisions.push_back(ceiling.precision);
  const auto find = [ceilings](Precision precision) {
    std::size_t index = 0;
    while (ceilings[index].precision != precision) ++index;
    return ceilings[index];
  };
  peak.unsupported = [find](const Workload&, Precision precision, const Options&) {
    const Ceiling ceiling = find(precision);
    return ceiling.available ? "" : "this CPU or its operating system has no " + ceiling.needs;
  };
  peak.load = [find](const Workload& workload, Precision precision, const Options& options) {
    return std::make_unique<PeakKernel>(workload, find(precision), options.threads);
  };
  registry.add(std::move(peak));
}

}  // namespace breakeven::peak
