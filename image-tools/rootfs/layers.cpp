// SPDX-License-Identifier: Apache-2.0
#include "image-tools/rootfs/layers.hpp"

#include "image-tools/rootfs/attributes.hpp"
#include "image-tools/rootfs/erofs_writer.hpp"
#include "image-tools/rootfs/holes.hpp"
#include "image-tools/rootfs/sparse.hpp"
#include "partitions/formats/erofs.hpp"

#include <algorithm>
#include <array>
#include <utility>

namespace rootfs {

namespace {

constexpr std::string_view whiteout_prefix = ".wh.";
constexpr std::string_view opaque_marker = ".wh..wh..opq";
constexpr std::string_view aufs_prefix =
    ".wh..wh."; // bookkeeping of a file system long gone: ignored, as Docker does
constexpr int most_links_followed = 40;
constexpr std::uint32_t largest_major = (1U << 12) - 1;
constexpr std::uint32_t largest_minor = (1U << 20) - 1;

bool fits_beside_inode(const Inode& inode) {
    return inode.size != 0 && (inode.mode & 0111) == 0 && inode.size < block_size &&
           sizeof(erofs::ExtendedInode) + xattr_bytes(inode) + inode.size <= block_size;
}

void split(std::string_view path, std::vector<std::string>& names) {
    while (!path.empty()) {
        const auto slash = path.find('/');
        const std::string_view name = path.substr(0, slash);
        if (!name.empty() && name != ".") {
            names.emplace_back(name);
        }
        path = slash == std::string_view::npos ? std::string_view() : path.substr(slash + 1);
    }
}

} // namespace

LayerApplier::LayerApplier(Tree& tree, Spool& spool, const oci::Limits& limits, std::int64_t epoch)
    : tree_(tree), spool_(spool), limits_(limits), epoch_(epoch) {
    tree_.on_free([&spool](const Inode& inode) { spool.release(inode); });
}

void LayerApplier::refuse(diagnostic::Code fault, const std::string& cause, const std::string& help) const {
    throw diagnostic::fail(fault, context_->text() + ": entry " + oci::printable(entry_path_) + ": " + cause)
        .help(help);
}

void LayerApplier::apply(oci::TarReader::Source source, const oci::LayerContext& context) {
    context_ = &context;
    ++layer_;
    try {
        oci::TarReader reader(std::move(source), limits_);
        oci::TarEntry entry;
        while (reader.next(entry)) {
            entry_path_ = entry.path;
            if (++entries_ > limits_.entries) {
                refuse(oci::Fault::limit,
                       "the image has more than " + std::to_string(limits_.entries) + " entries");
            }
            apply_entry(entry, reader);
        }
    } catch (const oci::TarLimitError& error) {
        throw diagnostic::fail(oci::Fault::limit, context.text() + ": " + error.what());
    } catch (const oci::TarError& error) {
        throw diagnostic::fail(oci::Fault::tar, context.text() + ": " + error.what())
            .help("build the image again");
    }
}

LayerApplier::Names LayerApplier::names_of(const std::string& path, diagnostic::Code fault,
                                           const char* what) const {
    if (path.size() > limits_.path_bytes) {
        refuse(oci::Fault::limit, std::string(what) + " has " + std::to_string(path.size()) +
                                      " bytes, at most " + std::to_string(limits_.path_bytes) +
                                      " are accepted");
    }
    Names parts;
    split(path, parts);
    Names names;
    for (std::string& name : parts) {
        if (name.size() > limits_.name_bytes) {
            refuse(oci::Fault::limit,
                   std::string(what) + " has a name of " + std::to_string(name.size()) + " bytes");
        }
        if (name != "..") {
            names.push_back(std::move(name));
            continue;
        }
        if (names.empty()) {
            refuse(fault, std::string(what) + " " + oci::printable(path) + " leaves the root ('..')");
        }
        // "a/../b" is "b", as Go's filepath.Clean has it; through a link the kernel would go elsewhere.
        if (is_symlink(names)) {
            refuse(fault, std::string(what) + " " + oci::printable(path) +
                              " goes back ('..') from the link " + oci::printable(names.back()) +
                              ": tools do not agree on where that is");
        }
        names.pop_back();
    }
    return names;
}

bool LayerApplier::is_symlink(const Names& names) const {
    std::string path;
    for (const std::string& name : names) {
        path += "/" + name;
    }
    const auto found = tree_.lookup(path, false);
    return found && tree_.inode(*found).type == FileType::symlink;
}

void LayerApplier::apply_entry(const oci::TarEntry& entry, oci::TarReader& reader) {
    const Names names = names_of(entry.path, oci::Fault::path, "the path");
    if (!names.empty() && names.back().starts_with(whiteout_prefix)) {
        apply_whiteout(names);
        return;
    }
    if (entry.type == oci::TarType::hard_link) {
        apply_hard_link(names, entry.link);
        return;
    }
    Inode inode = inode_of(entry);
    if (inode.is_directory()) {
        apply_directory(names, std::move(inode));
        return;
    }
    if (names.empty()) {
        refuse(oci::Fault::conflict, "the root itself can only be a directory");
    }
    if (inode.is_regular()) {
        store_contents(inode, entry, reader);
    }
    const InodeId id = tree_.add(std::move(inode));
    place(names, id);
}

// The directory that holds the last name, links in the path followed inside the tree.
std::optional<InodeId> LayerApplier::directory_of(const Names& names, bool create) {
    Names pending(names.rbegin() + 1, names.rend());
    InodeId at = root_inode;
    int followed = 0;
    while (!pending.empty()) {
        const std::string name = std::move(pending.back());
        pending.pop_back();
        if (name == "..") { // only a link's target can say this
            at = tree_.inode(at).parent;
            continue;
        }
        Directory& entries = *tree_.inode(at).entries;
        const auto found = entries.find(name);
        if (found == entries.end()) {
            if (!create) {
                return std::nullopt;
            }
            Inode implied;
            implied.type = FileType::directory;
            implied.mode = 0755;
            implied.mtime = epoch_;
            if (tree_.inode(at).depth >= limits_.depth || name.size() > limits_.name_bytes) {
                refuse(oci::Fault::limit, "more than " + std::to_string(limits_.depth) +
                                              " directories deep, or a name above " +
                                              std::to_string(limits_.name_bytes) + " bytes");
            }
            const InodeId made = tree_.add(std::move(implied));
            tree_.link(at, name, made, layer_);
            at = made;
            continue;
        }
        const Inode& next = tree_.inode(found->second.inode);
        if (next.type == FileType::symlink) {
            if (++followed > most_links_followed) {
                refuse(oci::Fault::conflict, "too many symbolic links in its path");
            }
            if (next.target.starts_with('/')) {
                at = root_inode;
            }
            Names target;
            split(next.target, target);
            pending.insert(pending.end(), target.rbegin(), target.rend());
        } else if (next.is_directory()) {
            if (create) {
                found->second.layer = layer_;
            }
            at = found->second.inode;
        } else {
            if (!create) {
                return std::nullopt;
            }
            refuse(oci::Fault::conflict, oci::printable(name) + " in its path is not a directory");
        }
    }
    return at;
}

void LayerApplier::apply_whiteout(const Names& names) {
    const std::string& marker = names.back();
    if (marker == opaque_marker) {
        if (const auto directory = directory_of(names, false)) {
            remove_all_lower(*directory);
        }
        return;
    }
    if (marker.starts_with(aufs_prefix)) {
        return;
    }
    const std::string name = marker.substr(whiteout_prefix.size());
    if (name.empty() || name == "." || name == "..") {
        refuse(oci::Fault::whiteout, "the whiteout names " + oci::printable(name) +
                                         ", not a file of its directory: it would leave the directory");
    }
    if (const auto directory = directory_of(names, false)) {
        remove_lower(*directory, name);
    }
}

void LayerApplier::remove_lower(InodeId directory, const std::string& name) {
    const Directory& entries = *tree_.inode(directory).entries;
    const auto found = entries.find(name);
    if (found == entries.end()) {
        return;
    }
    if (found->second.layer < layer_) {
        tree_.unlink(directory, name);
        ++whiteouts_;
    } else if (tree_.inode(found->second.inode).is_directory()) {
        remove_all_lower(found->second.inode);
    }
}

void LayerApplier::remove_all_lower(InodeId directory) {
    bool removed = false;
    std::vector<InodeId> pending{directory};
    while (!pending.empty()) {
        const InodeId at = pending.back();
        pending.pop_back();
        Names lower;
        for (const auto& [name, entry] : *tree_.inode(at).entries) {
            if (entry.layer < layer_) {
                lower.push_back(name);
            } else if (tree_.inode(entry.inode).is_directory()) {
                pending.push_back(entry.inode);
            }
        }
        for (const std::string& name : lower) {
            tree_.unlink(at, name);
            removed = true;
        }
    }
    whiteouts_ += removed ? 1 : 0;
}

void LayerApplier::apply_hard_link(const Names& names, const std::string& link) {
    if (names.empty()) {
        refuse(oci::Fault::conflict, "the root itself can only be a directory");
    }
    const Names target_names = names_of(link, oci::Fault::hard_link, "the hard link's target");
    if (target_names.empty()) {
        refuse(oci::Fault::hard_link, "the hard link names the root directory");
    }
    const auto target_directory = directory_of(target_names, false);
    std::optional<InodeId> target;
    if (target_directory) {
        const Directory& entries = *tree_.inode(*target_directory).entries;
        const auto found = entries.find(target_names.back());
        if (found != entries.end()) {
            target = found->second.inode;
        }
    }
    if (!target) {
        refuse(oci::Fault::hard_link,
               "the hard link's target " + oci::printable(link) + " is not in the image");
    }
    if (tree_.inode(*target).is_directory()) {
        refuse(oci::Fault::hard_link, "the hard link's target " + oci::printable(link) + " is a directory");
    }
    place(names, *target);
}

void LayerApplier::place(const Names& names, InodeId id) {
    const InodeId directory = *directory_of(names, true);
    Directory& entries = *tree_.inode(directory).entries;
    const auto found = entries.find(names.back());
    if (found != entries.end() && found->second.inode == id) {
        found->second.layer = layer_; // a hard link to itself
        return;
    }
    if (tree_.inode(directory).depth > limits_.depth) {
        refuse(oci::Fault::limit, "more than " + std::to_string(limits_.depth) + " directories deep");
    }
    if (found != entries.end()) {
        // The new name first: the old subtree may hold the only other name of this inode.
        ++tree_.inode(id).links;
        tree_.unlink(directory, names.back());
        --tree_.inode(id).links;
    }
    tree_.link(directory, names.back(), id, layer_);
}

void LayerApplier::apply_directory(const Names& names, Inode inode) {
    InodeId existing = root_inode;
    if (!names.empty()) {
        const InodeId parent = *directory_of(names, true);
        Directory& entries = *tree_.inode(parent).entries;
        const auto found = entries.find(names.back());
        if (found == entries.end() || !tree_.inode(found->second.inode).is_directory()) {
            const InodeId id = tree_.add(std::move(inode));
            place(names, id);
            return;
        }
        found->second.layer = layer_;
        existing = found->second.inode;
    }
    Inode& directory = tree_.inode(existing);
    directory.mode = inode.mode;
    directory.uid = inode.uid;
    directory.gid = inode.gid;
    directory.mtime = inode.mtime;
    directory.mtime_nanoseconds = inode.mtime_nanoseconds;
    directory.attributes = std::move(inode.attributes);
}

Inode LayerApplier::inode_of(const oci::TarEntry& entry) const {
    Inode inode;
    switch (entry.type) {
    case oci::TarType::regular:
    case oci::TarType::hard_link:
        inode.type = FileType::regular;
        break;
    case oci::TarType::symlink:
        inode.type = FileType::symlink;
        break;
    case oci::TarType::character_device:
        inode.type = FileType::character_device;
        break;
    case oci::TarType::block_device:
        inode.type = FileType::block_device;
        break;
    case oci::TarType::directory:
        inode.type = FileType::directory;
        break;
    case oci::TarType::fifo:
        inode.type = FileType::fifo;
        break;
    }
    inode.mode = inode.type == FileType::symlink ? std::uint16_t{0777} : entry.mode;
    inode.uid = entry.uid;
    inode.gid = entry.gid;
    inode.mtime = entry.mtime;
    inode.mtime_nanoseconds = entry.mtime_nanoseconds;
    inode.size = inode.type == FileType::regular ? entry.size : 0;
    inode.device_major = entry.device_major;
    inode.device_minor = entry.device_minor;
    if (inode.device_major > largest_major || inode.device_minor > largest_minor) {
        refuse(oci::Fault::tar, "the device number " + std::to_string(inode.device_major) + ":" +
                                    std::to_string(inode.device_minor) + " does not exist in Linux");
    }
    if (inode.type == FileType::symlink) {
        if (entry.link.empty() || entry.link.size() >= limits_.path_bytes) {
            refuse(oci::Fault::tar, entry.link.empty() ? "a symbolic link to nothing"
                                                       : "the symbolic link's target is too long");
        }
        inode.target = entry.link;
        inode.size = entry.link.size();
    }
    std::uint64_t total = 0;
    for (const auto& [name, value] : entry.attributes) {
        if (attribute_namespace(name)) {
            if (inode.attributes == nullptr) {
                inode.attributes = std::make_unique<Attributes>();
            }
            inode.attributes->emplace_back(name, value);
            total += name.size() + value.size() + 8;
        }
    }
    if (total > largest_attributes) {
        refuse(oci::Fault::limit, "its extended attributes take " + std::to_string(total) + " bytes");
    }
    return inode;
}

void LayerApplier::store_contents(Inode& inode, const oci::TarEntry& entry, oci::TarReader& reader) {
    if (entry.sparse) {
        store_sparse(inode, entry, reader);
        return;
    }
    if (fits_beside_inode(inode)) {
        store_small(inode, reader);
        return;
    }
    HoleWriter contents(spool_);
    for (auto run = reader.read(); !run.empty(); run = reader.read()) {
        contents.write(run);
    }
    contents.finish(inode);
    count_overhead(inode.chunks == nullptr ? 0 : inode.chunks->chunks.size() * sizeof(std::uint32_t));
}

// Beside its inode a file takes no block of its own. Programs do: their pages are mapped where they lie.
void LayerApplier::store_small(Inode& inode, oci::TarReader& reader) {
    constexpr std::array<std::uint8_t, 4> elf_magic{0x7f, 'E', 'L', 'F'};
    std::array<std::uint8_t, block_size> buffer;
    std::size_t got = 0;
    for (auto run = reader.read(); !run.empty(); run = reader.read()) {
        std::copy(run.begin(), run.end(), buffer.begin() + static_cast<std::ptrdiff_t>(got));
        got += run.size();
    }
    const auto contents = std::span(buffer).first(got);
    if (got >= elf_magic.size() && std::equal(elf_magic.begin(), elf_magic.end(), contents.begin())) {
        inode.first_block = spool_.next_block();
        spool_.append(contents);
        spool_.align();
        return;
    }
    inode.inlined = true;
    inode.inlined_at = spool_.small_files().add(contents);
}

void LayerApplier::count_overhead(std::uint64_t bytes) {
    sparse_overhead_ += bytes;
    if (sparse_overhead_ > limits_.sparse_overhead) {
        refuse(oci::Fault::limit, "the image's sparse files are too scattered: maps and padding take " +
                                      std::to_string(sparse_overhead_ >> 20) + " MiB");
    }
}

void LayerApplier::store_sparse(Inode& inode, const oci::TarEntry& entry, oci::TarReader& reader) {
    const SparsePlan plan = plan_sparse(entry.size, entry.extents);
    count_overhead(plan.bytes - std::min(plan.bytes, reader.data_left()));
    inode.chunks = std::make_unique<ChunkMap>(chunk_map_for(entry.size, entry.extents, plan.chunk_bits));
    const std::uint64_t chunk_bytes = block_size << inode.chunks->chunk_bits;
    std::span<const std::uint8_t> run;
    std::size_t extent = 0;
    std::uint64_t taken = 0; // of the extent
    for (std::size_t i = 0; i < inode.chunks->chunks.size(); ++i) {
        if (inode.chunks->chunks[i] == ChunkMap::hole) {
            continue;
        }
        inode.chunks->chunks[i] = spool_.next_block();
        std::uint64_t at = i * chunk_bytes;
        const std::uint64_t end = at + chunk_blocks(inode, i) * block_size;
        while (extent < entry.extents.size() && entry.extents[extent].offset + taken < end) {
            const oci::TarExtent& here = entry.extents[extent];
            if (here.bytes == 0) { // marks the end, or nothing
                ++extent;
                continue;
            }
            spool_.append_zeros(here.offset + taken - at);
            at = here.offset + taken;
            std::uint64_t wanted = std::min(here.bytes - taken, end - at);
            taken += wanted;
            at += wanted;
            while (wanted != 0) {
                if (run.empty()) {
                    run = reader.read();
                }
                const auto part = static_cast<std::size_t>(std::min<std::uint64_t>(wanted, run.size()));
                spool_.append(run.first(part));
                run = run.subspan(part);
                wanted -= part;
            }
            if (taken != here.bytes) {
                break;
            }
            ++extent;
            taken = 0;
        }
        spool_.append_zeros(end - at);
    }
}

} // namespace rootfs
