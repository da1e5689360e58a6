// SPDX-License-Identifier: Apache-2.0
// image-tools/sbom/files.cpp - a root image as those see it who look for packages.
#include "image-tools/sbom/files.hpp"

#include "image-tools/rootfs/root_reader.hpp"

#include <algorithm>

namespace sbom {
namespace {

constexpr unsigned type_mask = 0170000, type_link = 0120000;
constexpr unsigned most_links = 40; // as Linux follows
constexpr std::uint64_t longest_target = 4096;

} // namespace

Files::Files(std::vector<File> all, std::map<std::string, std::string, std::less<>> links, Read read)
    : all_(std::move(all)), links_(std::move(links)), read_(std::move(read)) {}

Files::Files(std::shared_ptr<const rootfs::RootReader> reader) {
    auto nodes = std::make_shared<std::vector<rootfs::RootReader::Node>>();
    for (rootfs::RootReader::Node& node : reader->list()) {
        if ((node.mode & type_mask) == type_link) {
            links_[node.path] = reader->read(node, 0, longest_target);
            continue;
        }
        all_.push_back({node.path, node.size, (node.mode & 0111) != 0, node.number});
        nodes->push_back(std::move(node));
    }
    read_ = [reader, nodes](std::size_t index, std::uint64_t offset, std::uint64_t bytes) {
        return reader->read((*nodes)[index], offset, bytes);
    };
}

std::pair<std::size_t, std::size_t> Files::below(std::string_view prefix) const {
    const auto first = std::lower_bound(all_.begin(), all_.end(), prefix,
                                        [](const File& file, std::string_view at) { return file.path < at; });
    auto last = first;
    while (last != all_.end() && last->path.starts_with(prefix))
        ++last;
    return {static_cast<std::size_t>(first - all_.begin()), static_cast<std::size_t>(last - all_.begin())};
}

std::string Files::read(const File& file, std::uint64_t offset, std::uint64_t bytes) const {
    return read_(static_cast<std::size_t>(&file - all_.data()), offset, bytes);
}

std::optional<std::string> Files::whole(const File& file, std::uint64_t limit) const {
    if (file.size > limit)
        return std::nullopt;
    return read(file, 0, file.size);
}

// Component by component, so that links to directories are followed too.
std::string Files::resolved(std::string_view path) const {
    std::string done;
    std::string left(path);
    unsigned followed = 0;
    while (!left.empty()) {
        const std::size_t end = std::min(left.find('/'), left.size());
        const std::string part = left.substr(0, end);
        left.erase(0, std::min(end + 1, left.size()));
        if (part.empty() || part == ".")
            continue;
        if (part == "..") {
            done.erase(done.rfind('/') == std::string::npos ? 0 : done.rfind('/'));
            continue;
        }
        const std::string here = done.empty() ? part : done + "/" + part;
        const auto link = links_.find(here);
        if (link == links_.end()) {
            done = here;
            continue;
        }
        if (++followed > most_links || left.size() + link->second.size() > 2 * longest_target)
            return {};
        if (link->second.starts_with('/'))
            done.clear();
        left = link->second + "/" + left;
    }
    return done;
}

std::optional<std::string> Files::text(std::string_view path, std::uint64_t limit) const {
    const std::string at = resolved(path);
    const auto found =
        std::lower_bound(all_.begin(), all_.end(), at,
                         [](const File& file, const std::string& name) { return file.path < name; });
    if (found == all_.end() || found->path != at)
        return std::nullopt;
    return whole(*found, limit);
}

} // namespace sbom
