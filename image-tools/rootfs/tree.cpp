// SPDX-License-Identifier: Apache-2.0
#include "image-tools/rootfs/tree.hpp"

namespace rootfs {

namespace {

constexpr int most_links_followed = 40; // as Linux

// Pushes the components of `path` so that the first one is popped first.
void push_components(std::vector<std::string>& pending, std::string_view path) {
    while (!path.empty()) {
        const auto slash = path.rfind('/');
        const std::string_view name = slash == std::string_view::npos ? path : path.substr(slash + 1);
        if (!name.empty() && name != ".") {
            pending.emplace_back(name);
        }
        path = slash == std::string_view::npos ? std::string_view() : path.substr(0, slash);
    }
}

} // namespace

std::uint16_t Inode::linux_mode() const {
    constexpr std::uint16_t kinds[] = {0100000, 0040000, 0120000, 0020000, 0060000, 0010000};
    return static_cast<std::uint16_t>(kinds[static_cast<std::size_t>(type)] | mode);
}

Tree::Tree(std::int64_t epoch) {
    Inode root;
    root.type = FileType::directory;
    root.mode = 0755;
    root.mtime = epoch;
    add(std::move(root));
    inode(root_inode).parent = root_inode;
}

InodeId Tree::add(Inode inode) {
    if (inode.is_directory() && inode.entries == nullptr) {
        inode.entries = std::make_unique<Directory>();
    }
    inodes_.push_back(std::make_unique<Inode>(std::move(inode)));
    ++live_;
    return static_cast<InodeId>(inodes_.size() - 1);
}

void Tree::link(InodeId directory, std::string name, InodeId id, std::uint32_t layer) {
    Inode& added = inode(id);
    ++added.links;
    if (added.is_directory()) {
        added.parent = directory;
        added.depth = inode(directory).depth + 1;
    }
    inode(directory).entries->insert_or_assign(std::move(name), Entry{id, layer});
}

void Tree::unlink(InodeId directory, std::string_view name) {
    Directory& entries = *inode(directory).entries;
    const auto found = entries.find(name);
    if (found == entries.end()) {
        return;
    }
    std::vector<InodeId> doomed{found->second.inode};
    entries.erase(found);
    while (!doomed.empty()) {
        const InodeId id = doomed.back();
        doomed.pop_back();
        if (inode(id).is_directory()) {
            for (const auto& [child, entry] : *inode(id).entries) {
                doomed.push_back(entry.inode);
            }
        }
        release(id);
    }
}

void Tree::release(InodeId id) {
    if (--inode(id).links == 0) {
        if (freed_) {
            freed_(inode(id));
        }
        inodes_[id].reset();
        --live_;
    }
}

std::optional<InodeId> Tree::lookup(std::string_view path, bool follow_last) const {
    return lookup_from(root_inode, path, follow_last);
}

std::optional<InodeId> Tree::lookup_from(InodeId directory, std::string_view path, bool follow_last) const {
    InodeId at = path.starts_with('/') ? root_inode : directory;
    std::vector<std::string> pending;
    push_components(pending, path);
    int followed = 0;
    while (!pending.empty()) {
        const std::string name = std::move(pending.back());
        pending.pop_back();
        const Inode& here = inode(at);
        if (!here.is_directory()) {
            return std::nullopt;
        }
        if (name == "..") {
            at = here.parent;
            continue;
        }
        const auto found = here.entries->find(name);
        if (found == here.entries->end()) {
            return std::nullopt;
        }
        const Inode& next = inode(found->second.inode);
        if (next.type == FileType::symlink && (follow_last || !pending.empty())) {
            if (++followed > most_links_followed) {
                return std::nullopt;
            }
            if (next.target.starts_with('/')) {
                at = root_inode;
            }
            push_components(pending, next.target);
            continue;
        }
        at = found->second.inode;
    }
    return at;
}

void Tree::visit(const std::function<void(const std::string& path, InodeId id)>& see) const {
    struct Level {
        Directory::const_iterator next;
        Directory::const_iterator end;
        std::size_t path_size;
    };
    const Directory& top = *inode(root_inode).entries;
    std::vector<Level> levels{{top.begin(), top.end(), 0}};
    std::string path;
    while (!levels.empty()) {
        Level& level = levels.back();
        path.resize(level.path_size);
        if (level.next == level.end) {
            levels.pop_back();
            continue;
        }
        path += (path.empty() ? "" : "/") + level.next->first;
        const InodeId id = level.next->second.inode;
        ++level.next;
        see(path, id);
        if (inode(id).is_directory()) {
            const Directory& entries = *inode(id).entries;
            levels.push_back({entries.begin(), entries.end(), path.size()});
        }
    }
}

} // namespace rootfs
