// SPDX-License-Identifier: Apache-2.0
// image-tools/sbom/database.hpp - the kinds of database that are read: each is one file of code and one line in the table.
//
// Trust: what they read is the image's and hostile: bounded, and refused with Damaged.
#pragma once

#include "image-tools/sbom/files.hpp"
#include "image-tools/sbom/package.hpp"

#include <span>
#include <stdexcept>

namespace sbom {

// A file is not what its name says; the inventory notes it.
struct Damaged : std::runtime_error {
    using std::runtime_error::runtime_error;
};

struct Database {
    const char* name;
    // By name and kind alone: asked for every file of an image.
    bool (*is_one)(const File& file);
    // What that file says. `files`: for what lies beside it.
    void (*read)(const Files& files, const File& file, std::vector<Package>& out);
};

extern const Database dpkg, apk, rpm, programs, python, npm, java;
std::span<const Database* const> databases();

Inventory take_inventory(const Files& files);

// Of a file's name.
inline std::string_view base_name(std::string_view path) {
    return path.substr(path.rfind('/') + 1);
}
// Whole, or Damaged: no database is larger.
std::string whole_or_damaged(const Files& files, const File& file, std::uint64_t limit);

} // namespace sbom
