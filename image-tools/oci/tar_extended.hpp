// SPDX-License-Identifier: Apache-2.0
// image-tools/oci/tar_extended.hpp - what a tar's extended headers say about the next entry, strictly decoded.
//
// Errors: TarError (damaged), TarLimitError.
// Spec:   POSIX.1-2017 pax; GNU tar manual, "Storing Sparse Files".
#pragma once

#include "image-tools/oci/tar_format.hpp"
#include "image-tools/oci/tar_reader.hpp"

namespace oci::tar {

[[noreturn]] void damaged(const std::string& what);

// Throws TarLimitError where the map would have too many.
void add_extent(std::vector<TarExtent>& map, TarExtent extent, const Limits& limits);

// What extended headers (PAX x, GNU L and K) say about the next entry.
struct Extended {
    std::optional<std::string> path;
    std::optional<std::string> link;
    std::optional<std::string> gnu_path;
    std::optional<std::string> gnu_link;
    std::optional<std::uint64_t> size;
    std::optional<std::uint64_t> uid;
    std::optional<std::uint64_t> gid;
    std::optional<Time> mtime;
    std::map<std::string, std::string> attributes;
    std::map<std::string, std::string> archive_attributes; // libarchive's spelling; the other one wins
    // GNU.sparse.*
    std::optional<std::string> sparse_name;
    std::optional<std::uint64_t> sparse_size;
    std::optional<std::uint64_t> sparse_major;
    std::optional<std::uint64_t> sparse_minor;
    std::vector<TarExtent> sparse_map;
    std::optional<std::uint64_t> sparse_offset; // of a pair not yet complete
    bool has_map = false;
    bool pax = false; // an x header was there

    void parse(std::string_view records, const Limits& limits);
    void set(std::string_view key, std::string_view value, const Limits& limits);
    void set_sparse(std::string_view key, std::string_view value, const Limits& limits);
    [[nodiscard]] bool used() const { return path || link || size || sparse_name || gnu_path || gnu_link; }
};

} // namespace oci::tar
