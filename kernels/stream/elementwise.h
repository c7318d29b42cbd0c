// The loops of the stream operation, for every instruction set: written once, compiled several
// times.
#pragma once

#include <cstdint>

#include "reference/stream.h"

namespace breakeven::stream {

/// How the output is written. Regular stores first read the line that they overwrite, and leave it
/// in the caches; non-temporal ones do neither.
enum class Store { regular, non_temporal };

/// c[begin, end) of one kind. `begin` is a multiple of 64 bytes in c, and c is 64-byte aligned.
template <class T>
using Loop = void (*)(const T* a, const T* b, T* c, std::int64_t begin, std::int64_t end);

/// The loop for this CPU; T is float or double.
template <class T>
Loop<T> find_loop(Stream::Kind kind, Store store);

}  // namespace breakeven::stream
