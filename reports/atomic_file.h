// Files that are either complete or not there.
#pragma once

#include <filesystem>
#include <string_view>

namespace breakeven {

/// Writes `text` to a temporary file beside `path`, flushes it to the disk and renames it over
/// `path`, so that no reader ever sees half a file and a failure leaves the old one as it was.
/// A path that names a device or a pipe is written to directly; a symbolic link keeps pointing to
/// its target, which is what is replaced. Throws std::runtime_error with one line (missing or
/// read-only directory, a directory at `path`, disk full).
void write_file_atomically(const std::filesystem::path& path, std::string_view text);

/// Throws what write_file_atomically would throw for this path, as far as that shows before
/// writing; leaves no trace.
void require_writable(const std::filesystem::path& path);

}  // namespace breakeven
