// SPDX-License-Identifier: Apache-2.0
// image-tools/sbom/zip.cpp - the entries of a ZIP file.
#include "image-tools/sbom/zip.hpp"

#include "image-tools/sbom/bytes.hpp"

#include <algorithm>
#include <zlib.h>

namespace sbom {
namespace {

constexpr std::uint64_t end_bytes = 22, longest_comment = 65535, largest_directory = 64 << 20;
constexpr std::uint64_t entry_bytes = 46, local_bytes = 30;
constexpr std::string_view end_mark{"PK\5\6", 4}, entry_mark{"PK\1\2", 4}, local_mark{"PK\3\4", 4};
constexpr std::uint16_t stored = 0, deflated = 8;

} // namespace

Zip::Zip(Read read, std::uint64_t size) : read_(std::move(read)), size_(size) {
    const std::uint64_t tail = std::min(size, end_bytes + longest_comment);
    const std::string end = part(size - tail, tail);
    const std::size_t at = end.rfind(end_mark);
    if (at == std::string::npos)
        throw Damaged("no ZIP archive");
    const auto count = bytes::little<std::uint16_t>(end, at + 10);
    const std::uint64_t length = bytes::little<std::uint32_t>(end, at + 12);
    if (length > largest_directory)
        throw Damaged("a ZIP archive with too many entries");
    const std::string directory = part(bytes::little<std::uint32_t>(end, at + 16), length);
    std::uint64_t next = 0;
    for (unsigned i = 0; i < count; ++i) {
        if (bytes::part(directory, next, 4) != entry_mark)
            throw Damaged("a ZIP archive's directory is malformed");
        const auto name = bytes::little<std::uint16_t>(directory, next + 28);
        const auto extra = bytes::little<std::uint16_t>(directory, next + 30);
        const auto comment = bytes::little<std::uint16_t>(directory, next + 32);
        entries_.push_back({std::string(bytes::part(directory, next + entry_bytes, name)),
                            bytes::little<std::uint16_t>(directory, next + 10),
                            bytes::little<std::uint32_t>(directory, next + 20),
                            bytes::little<std::uint32_t>(directory, next + 24),
                            bytes::little<std::uint32_t>(directory, next + 42)});
        next += entry_bytes + name + extra + comment;
    }
}

std::string Zip::part(std::uint64_t offset, std::uint64_t count) const {
    if (offset > size_ || count > size_ - offset)
        throw Damaged("a ZIP archive that points outside of itself");
    std::string out = read_(offset, count);
    if (out.size() != count)
        throw Damaged("a ZIP archive is cut short");
    return out;
}

std::string Zip::read(const Entry& entry, std::uint64_t limit) const {
    if (entry.size > limit)
        throw Damaged("an entry of a ZIP archive is too large");
    const std::string local = part(entry.offset, local_bytes);
    if (!local.starts_with(local_mark))
        throw Damaged("a ZIP archive's entry is not where its directory says");
    std::string packed = part(entry.offset + local_bytes + bytes::little<std::uint16_t>(local, 26) +
                                  bytes::little<std::uint16_t>(local, 28),
                              entry.packed);
    if (entry.method == stored)
        return packed;
    if (entry.method != deflated)
        throw Damaged("a ZIP archive's entry is packed in a way that is not read");
    std::string out(static_cast<std::size_t>(entry.size), '\0');
    z_stream stream{};
    if (inflateInit2(&stream, -15) != Z_OK)
        throw Damaged("zlib cannot begin");
    stream.next_in = static_cast<Bytef*>(static_cast<void*>(packed.data()));
    stream.avail_in = static_cast<uInt>(packed.size());
    stream.next_out = static_cast<Bytef*>(static_cast<void*>(out.data()));
    stream.avail_out = static_cast<uInt>(out.size());
    const int status = ::inflate(&stream, Z_FINISH);
    inflateEnd(&stream);
    if (status != Z_STREAM_END || stream.avail_out != 0)
        throw Damaged("a ZIP archive's entry is damaged");
    return out;
}

} // namespace sbom
