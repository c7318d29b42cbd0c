#include "bench/timing_check/cupti.h"

#include <cupti.h>
#include <dlfcn.h>

#include <algorithm>
#include <cstdlib>
#include <mutex>
#include <stdexcept>
#include <string>
#include <utility>

namespace breakeven {
namespace {

/// CUPTI's functions that are needed, by their own types.
struct Cupti {
  decltype(&cuptiActivityRegisterCallbacks) register_callbacks = nullptr;
  decltype(&cuptiActivityEnable) enable = nullptr;
  decltype(&cuptiActivityDisable) disable = nullptr;
  decltype(&cuptiActivityFlushAll) flush_all = nullptr;
  decltype(&cuptiActivityGetNextRecord) next_record = nullptr;
  decltype(&cuptiActivityGetNumDroppedRecords) dropped_records = nullptr;
  decltype(&cuptiGetResultString) result_string = nullptr;
};

template <class Function>
void find(void* library, Function& function, const char* name) {
  function = reinterpret_cast<Function>(dlsym(library, name));
  if (!function) throw Unsupported(std::string("the CUPTI found here has no ") + name);
}

Cupti open_cupti() {
  constexpr const char* kNames[] = {"libcupti.so.13", "libcupti.so.12", "libcupti.so"};
  void* library = nullptr;
  for (const char* name : kNames) {
    if (!library) library = dlopen(name, RTLD_NOW | RTLD_LOCAL);
  }
  if (!library) {
    throw Unsupported(
        "no libcupti.so: it comes with the CUDA toolkit, in extras/CUPTI/lib64; name its folder in "
        "LD_LIBRARY_PATH");
  }
  Cupti cupti;
  find(library, cupti.register_callbacks, "cuptiActivityRegisterCallbacks");
  find(library, cupti.enable, "cuptiActivityEnable");
  find(library, cupti.disable, "cuptiActivityDisable");
  find(library, cupti.flush_all, "cuptiActivityFlushAll");
  find(library, cupti.next_record, "cuptiActivityGetNextRecord");
  find(library, cupti.dropped_records, "cuptiActivityGetNumDroppedRecords");
  find(library, cupti.result_string, "cuptiGetResultString");
  return cupti;
}

// A kernel's record has grown over CUPTI's versions; what is read here lies where it always did.
using KernelRecord = CUpti_ActivityKernel9;

// CUPTI's callbacks get no pointer of ours, and come from threads of its own.
struct Records {
  std::mutex mutex;
  Cupti cupti;
  std::vector<TracedKernel> kernels;
  std::size_t dropped = 0;
};
Records& records() {
  static Records& all = *new Records;  // never destroyed: CUPTI's threads may outlive main()
  return all;
}

constexpr std::size_t kBufferBytes = std::size_t{8} << 20;
constexpr std::size_t kBufferAlignment = 8;

void CUPTIAPI give_buffer(std::uint8_t** buffer, std::size_t* bytes, std::size_t* most_records) {
  *buffer = static_cast<std::uint8_t*>(std::aligned_alloc(kBufferAlignment, kBufferBytes));
  *bytes = *buffer ? kBufferBytes : 0;
  *most_records = 0;  // as many as fit
}

void CUPTIAPI take_buffer(CUcontext context, std::uint32_t stream, std::uint8_t* buffer,
                          std::size_t /*bytes*/, std::size_t valid_bytes) {
  Records& all = records();
  const std::scoped_lock lock(all.mutex);
  CUpti_Activity* record = nullptr;
  while (all.cupti.next_record(buffer, valid_bytes, &record) == CUPTI_SUCCESS) {
    if (record->kind != CUPTI_ACTIVITY_KIND_CONCURRENT_KERNEL) continue;
    const auto* kernel = reinterpret_cast<const KernelRecord*>(record);
    all.kernels.push_back({kernel->name ? kernel->name : "", kernel->start, kernel->end});
  }
  std::size_t dropped = 0;
  if (all.cupti.dropped_records(context, stream, &dropped) == CUPTI_SUCCESS) all.dropped += dropped;
  std::free(buffer);
}

class CuptiTracer final : public Tracer {
 public:
  CuptiTracer() {
    try {
      check(cupti().register_callbacks(give_buffer, take_buffer), "register callbacks");
      // Whether it may watch here is told at once, not at the first case.
      start();
      stop();
    } catch (const std::runtime_error& refusal) {
      throw Unsupported(refusal.what());
    }
  }

  void start() override {
    check(cupti().enable(CUPTI_ACTIVITY_KIND_CONCURRENT_KERNEL), "watch kernels");
  }

  void stop() noexcept override { cupti().disable(CUPTI_ACTIVITY_KIND_CONCURRENT_KERNEL); }

  std::vector<TracedKernel> take() override {
    check(cupti().flush_all(CUPTI_ACTIVITY_FLAG_FLUSH_FORCED), "hand over its records");
    Records& all = records();
    const std::scoped_lock lock(all.mutex);
    std::vector<TracedKernel> kernels = std::exchange(all.kernels, {});
    if (const std::size_t lost = std::exchange(all.dropped, 0); lost > 0) {
      throw std::runtime_error("CUPTI lost " + std::to_string(lost) + " records");
    }
    for (const TracedKernel& kernel : kernels) {
      if (kernel.start_nanoseconds == 0 || kernel.end_nanoseconds < kernel.start_nanoseconds) {
        throw std::runtime_error("CUPTI has no times of " + kernel.name);
      }
    }
    std::ranges::sort(kernels, {}, &TracedKernel::start_nanoseconds);
    return kernels;
  }

 private:
  static const Cupti& cupti() { return records().cupti; }

  static void check(CUptiResult result, const char* what) {
    if (result == CUPTI_SUCCESS) return;
    const char* words = nullptr;
    cupti().result_string(result, &words);
    throw std::runtime_error(std::string("CUPTI does not ") + what + ": " +
                             (words ? words : std::to_string(result)));
  }
};

}  // namespace

std::unique_ptr<Tracer> make_cupti_tracer() {
  records().cupti = open_cupti();
  return std::make_unique<CuptiTracer>();
}

}  // namespace breakeven
