// SPDX-License-Identifier: Apache-2.0
#include "image-tools/oci/tar_extended.hpp"

#include "image-tools/oci/failure.hpp"

namespace oci::tar {

namespace {

std::uint64_t pax_number(std::string_view key, std::string_view value) {
    const auto number = decimal(value);
    if (!number) {
        damaged("the extended header's " + std::string(key) + " is not a number: " + printable(value));
    }
    return *number;
}

std::string pax_name(std::string_view key, std::string_view value) {
    if (value.find('\0') != std::string_view::npos) {
        damaged("the extended header's " + std::string(key) + " has a NUL byte: " + printable(value));
    }
    return std::string(value);
}

} // namespace

void damaged(const std::string& what) {
    throw TarError(what);
}

void add_extent(std::vector<TarExtent>& map, TarExtent extent, const Limits& limits) {
    if (map.size() >= limits.sparse_extents) {
        throw TarLimitError("a sparse file with more than " + std::to_string(limits.sparse_extents) +
                            " extents");
    }
    map.push_back(extent);
}

void Extended::parse(std::string_view records, const Limits& limits) {
    while (!records.empty()) {
        const auto space = records.find(' ');
        const auto length =
            space == std::string_view::npos ? std::nullopt : decimal(records.substr(0, space));
        if (!length || *length > records.size() || *length < space + 3 || records[*length - 1] != '\n') {
            damaged("an extended header's record has a wrong length");
        }
        const std::string_view record = records.substr(space + 1, *length - space - 2);
        records.remove_prefix(*length);
        const auto equals = record.find('=');
        if (equals == std::string_view::npos || equals == 0) {
            damaged("an extended header's record has no key");
        }
        set(record.substr(0, equals), record.substr(equals + 1), limits);
    }
    if (sparse_offset) {
        damaged("the extended header's sparse map is incomplete");
    }
}

void Extended::set(std::string_view key, std::string_view value, const Limits& limits) {
    constexpr std::string_view schily = "SCHILY.xattr.";
    constexpr std::string_view libarchive = "LIBARCHIVE.xattr.";
    const bool clear = value.empty(); // POSIX: an empty value takes back an earlier one
    if (key == "path") {
        path = clear ? std::nullopt : std::optional(pax_name(key, value));
    } else if (key == "linkpath") {
        link = clear ? std::nullopt : std::optional(pax_name(key, value));
    } else if (key == "size") {
        size = clear ? std::nullopt : std::optional(pax_number(key, value));
    } else if (key == "uid") {
        uid = clear ? std::nullopt : std::optional(pax_number(key, value));
    } else if (key == "gid") {
        gid = clear ? std::nullopt : std::optional(pax_number(key, value));
    } else if (key == "mtime") {
        mtime = time(value);
        if (!mtime && !clear) {
            damaged("the extended header's mtime is not a time: " + printable(value));
        }
    } else if (key.starts_with(schily) || key.starts_with(libarchive)) {
        const bool plain = key.starts_with(schily);
        const auto attribute = plain ? std::optional(std::string(key.substr(schily.size())))
                                     : percent_decoded(key.substr(libarchive.size()));
        const auto bytes = plain ? std::optional(std::string(value)) : base64(value);
        if (!attribute || attribute->empty() || !bytes) {
            damaged("the extended header's attribute " + printable(key) + " cannot be decoded");
        }
        if (bytes->size() > limits.attribute_bytes || attribute->size() > limits.name_bytes) {
            throw TarLimitError("the extended attribute " + printable(*attribute) + " is too long");
        }
        (plain ? attributes : archive_attributes)[*attribute] = *bytes;
    } else if (key.starts_with("GNU.sparse.")) {
        set_sparse(key, value, limits);
    }
}

void Extended::set_sparse(std::string_view key, std::string_view value, const Limits& limits) {
    if (key == "GNU.sparse.name") {
        sparse_name = pax_name(key, value);
    } else if (key == "GNU.sparse.size" || key == "GNU.sparse.realsize") {
        sparse_size = pax_number(key, value);
    } else if (key == "GNU.sparse.major") {
        sparse_major = pax_number(key, value);
    } else if (key == "GNU.sparse.minor") {
        sparse_minor = pax_number(key, value);
    } else if (key == "GNU.sparse.numblocks") {
        has_map = true;
    } else if (key == "GNU.sparse.offset") {
        if (sparse_offset) {
            damaged("the extended header's sparse map is incomplete");
        }
        sparse_offset = pax_number(key, value);
    } else if (key == "GNU.sparse.numbytes") {
        if (!sparse_offset) {
            damaged("the extended header's sparse map is incomplete");
        }
        add_extent(sparse_map, {*sparse_offset, pax_number(key, value)}, limits);
        sparse_offset.reset();
        has_map = true;
    } else if (key == "GNU.sparse.map") {
        has_map = true;
        sparse_map.clear();
        std::optional<std::uint64_t> offset;
        while (!value.empty()) {
            const auto comma = value.find(',');
            const std::uint64_t number = pax_number(key, value.substr(0, comma));
            value = comma == std::string_view::npos ? std::string_view() : value.substr(comma + 1);
            if (offset) {
                add_extent(sparse_map, {*offset, number}, limits);
                offset.reset();
            } else {
                offset = number;
            }
        }
        if (offset) {
            damaged("the extended header's sparse map is incomplete");
        }
    }
}

} // namespace oci::tar
