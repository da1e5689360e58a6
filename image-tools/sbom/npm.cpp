// SPDX-License-Identifier: Apache-2.0
// image-tools/sbom/npm.cpp - node's packages: the package.json of each folder in a node_modules.
#include "image-tools/diagnostic/diagnostic.hpp"
#include "image-tools/oci/limits.hpp"
#include "image-tools/oci/strict_json.hpp"
#include "image-tools/sbom/database.hpp"

namespace sbom {
namespace {

// node_modules/NAME/package.json or node_modules/@SCOPE/NAME/package.json; others are parts of packages.
bool is_npm_file(const File& file) {
    constexpr std::string_view end = "/package.json", modules = "node_modules/";
    std::string_view path = file.path;
    if (!path.ends_with(end))
        return false;
    path.remove_suffix(end.size());
    const std::size_t at = path.rfind(modules);
    if (at == std::string_view::npos || (at != 0 && path[at - 1] != '/'))
        return false;
    path.remove_prefix(at + modules.size());
    const std::size_t slash = path.find('/');
    return slash == std::string_view::npos ||
           (path.starts_with('@') && path.find('/', slash + 1) == std::string_view::npos);
}

std::string npm_licence(const oci::JsonObject& package) {
    try {
        return package.text("license").value_or("");
    } catch (const diagnostic::Failure&) { // as it was written long ago: an object with type and url
    }
    try {
        if (const auto old = package.object("license"))
            return old->text("type").value_or("");
    } catch (const diagnostic::Failure&) {
    }
    return {};
}

void read_npm(const Files& files, const File& file, std::vector<Package>& out) {
    const oci::JsonDocument document(whole_or_damaged(files, file, 4 << 20), file.path, oci::Limits());
    const oci::JsonObject top = document.top();
    const auto name = top.text("name"), version = top.text("version");
    if (!name || !version)
        return; // only says how the folder's files are to be read
    Package package{Kind::npm, *name, *version};
    package.licence = npm_licence(top);
    package.place = file.path;
    out.push_back(std::move(package));
}

} // namespace

const Database npm{"npm", is_npm_file, read_npm};

} // namespace sbom
