// SPDX-License-Identifier: Apache-2.0
// image-tools/oci/tar_reader.hpp - a strict reader of tar streams: ustar, PAX, GNU long names, all
// sparse forms.
//
// Trust:      every byte is hostile. What is odd is read as Go's archive/tar and the container tools
//             on it do: no data after links and directories whatever size they name, nothing after
//             the end mark, global times and owners not applied. Where another reader would then
//             find other files (data there after all, headers after the end mark, a number out of
//             range, a global name), the archive is refused, never interpreted.
// Invariants: what next() returns is within the limits; the data of an entry is exactly its stored
//             size. Path checks (".." and the like) are the caller's. Why not libarchive:
//             docs/adr/0003-own-tar-reader.md.
// Spec:       POSIX.1-2017 pax, "ustar" and "pax Interchange Format"; GNU tar manual, "Basic Tar
//             Format" and "Storing Sparse Files".
#pragma once

#include "image-tools/oci/limits.hpp"

#include <array>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace oci {

// Names the entry; the caller adds image and layer.
struct TarError : std::runtime_error {
    using std::runtime_error::runtime_error;
};
struct TarLimitError : TarError {
    using TarError::TarError;
};

enum class TarType { regular, hard_link, symlink, character_device, block_device, directory, fifo };

struct TarExtent {
    std::uint64_t offset = 0; // in the file
    std::uint64_t bytes = 0;
};

struct TarEntry {
    TarType type = TarType::regular;
    std::string path; // as stored
    std::string link; // hard link or symlink
    std::uint16_t mode = 0;
    std::uint32_t uid = 0;
    std::uint32_t gid = 0;
    std::int64_t mtime = 0;
    std::uint32_t mtime_nanoseconds = 0;
    std::uint32_t device_major = 0;
    std::uint32_t device_minor = 0;
    std::uint64_t size = 0;         // of the file, holes included
    bool sparse = false;            // then the data is that of the extents, one after another
    std::vector<TarExtent> extents; // ascending, apart, within size
    std::map<std::string, std::string> attributes;
};

namespace tar {
struct Extended;
}

class TarReader {
public:
    // Runs of the stream, valid until the next call; empty at the end.
    using Source = std::function<std::span<const std::uint8_t>()>;

    TarReader(Source source, const Limits& limits);

    // The next entry, skipping what is left of the last. False at the end, which reads the source out.
    bool next(TarEntry& entry);
    // The next run of the entry's stored data; empty when there is no more.
    std::span<const std::uint8_t> read();
    [[nodiscard]] std::uint64_t data_left() const { return data_left_; }
    // For a seekable source of single blocks: forgets what is left of the entry and returns its length.
    std::uint64_t step_over();

private:
    using Block = std::array<std::uint8_t, 512>;
    // Where a reader that believes the size of an entry without data would look for the next header.
    struct Doubt {
        std::string path;
        bool pax_link; // libarchive is one that does
    };

    bool pull(); // more of the stream; false at its end
    void take(std::size_t bytes);
    void watch(std::span<const std::uint8_t> bytes);
    [[noreturn]] void refuse_doubt(const Doubt& doubt) const;
    bool read_block(Block& block);
    void read_exactly(std::span<std::uint8_t> to);
    void skip(std::uint64_t bytes);
    std::string read_extension(std::uint64_t size, const char* what);
    void read_to_end();
    void check_global(const tar::Extended& global) const;
    void check_header(const Block& header, const TarEntry& last) const;
    void finish_entry(const Block& header, const tar::Extended& extended, TarEntry& entry);
    void read_metadata(const Block& header, const tar::Extended& extended, TarEntry& entry) const;
    void place_data(const Block& header, const tar::Extended& extended, TarEntry& entry);
    void read_old_gnu_map(const Block& header, TarEntry& entry, std::uint64_t& stored);
    void read_pax_map(TarEntry& entry);
    void check_extents(const TarEntry& entry, std::uint64_t stored) const;

    Source source_;
    Limits limits_;
    std::span<const std::uint8_t> run_;
    std::uint64_t data_left_ = 0;
    std::uint64_t padding_ = 0;
    std::uint64_t position_ = 0;            // of run_ in the stream
    std::uint64_t untaken_ = 0;             // size of the last entry, if it has no data
    std::map<std::uint64_t, Doubt> doubts_; // by position
    Block doubted_{};                       // what is there, of the first one
    std::size_t doubted_bytes_ = 0;
};

} // namespace oci
