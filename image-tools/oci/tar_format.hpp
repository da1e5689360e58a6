// SPDX-License-Identifier: Apache-2.0
// image-tools/oci/tar_format.hpp - the fields of a 512-byte tar header and their strict decoding.
//
// Spec: POSIX.1-2017 pax, "ustar Interchange Format"; GNU tar manual, "Basic Tar Format" (base-256 numbers).
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace oci::tar {

inline constexpr std::size_t block_bytes = 512;
using Block = std::array<std::uint8_t, block_bytes>;

struct Field {
    std::size_t offset;
    std::size_t bytes;
};
inline constexpr Field name{0, 100};
inline constexpr Field mode{100, 8};
inline constexpr Field uid{108, 8};
inline constexpr Field gid{116, 8};
inline constexpr Field size{124, 12};
inline constexpr Field mtime{136, 12};
inline constexpr Field checksum{148, 8};
inline constexpr std::size_t type_offset = 156;
inline constexpr Field link{157, 100};
inline constexpr Field magic{257, 8}; // with the version
inline constexpr Field device_major{329, 8};
inline constexpr Field device_minor{337, 8};
inline constexpr Field prefix{345, 155};
inline constexpr Field star_prefix{345, 131}; // star keeps times after it
inline constexpr Field star_trailer{508, 4};
// GNU: the first four sparse extents (offset and size, 12 bytes each), whether more follow, the file's size.
inline constexpr std::size_t gnu_sparse_offset = 386;
inline constexpr std::size_t gnu_sparse_extended = 482;
inline constexpr Field gnu_real_size{483, 12};
inline constexpr std::size_t gnu_more_extended = 504;

std::string text(const Block& block, Field field);
// Octal digits between blanks, or base-256. Nothing if it is neither. An empty field is 0.
std::optional<std::int64_t> number(const Block& block, Field field);
bool checksum_matches(const Block& block);
bool is_zero(const Block& block);
// A block that any reader would take for a header.
bool looks_like_header(const Block& block);
// What the header's prefix field adds to the name: nothing where the format has none. As Go, GNU tar and libarchive,
// which look at "ustar" and its NUL alone: a version that is not "00" loses no prefix.
std::string prefix_of(const Block& block);

// Decimal digits only, no sign, at most 2^63 - 1.
std::optional<std::uint64_t> decimal(std::string_view digits);
// "[-]seconds[.fraction]" of PAX, rounded down to the nanosecond.
struct Time {
    std::int64_t seconds = 0;
    std::uint32_t nanoseconds = 0;
};
std::optional<Time> time(std::string_view value);
std::optional<std::string> base64(std::string_view value);
std::optional<std::string> percent_decoded(std::string_view value);

} // namespace oci::tar
