#include "kernels/host/allocation_count.h"

namespace breakeven {

long allocation_count() { return 0; }

}  // namespace breakeven
