// For tests: how often this process has asked the heap for memory.
#pragma once

namespace breakeven {

/// Calls of malloc, calloc, realloc and aligned_alloc so far, by every library of the process and
/// every thread. Always 0 in builds with a sanitizer, which has an allocator of its own.
long allocation_count();

}  // namespace breakeven
