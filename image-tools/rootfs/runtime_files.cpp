// SPDX-License-Identifier: Apache-2.0
#include "image-tools/rootfs/runtime_files.hpp"

#include "image-tools/oci/failure.hpp"

#include <utility>

namespace rootfs {

namespace {

constexpr std::uint32_t added_layer = UINT32_MAX; // above all of the image's
constexpr std::size_t longest_name = 255;
constexpr std::size_t longest_path = 4096;

class Adder {
public:
    Adder(Tree& tree, std::int64_t epoch, const std::string& image)
        : tree_(tree), epoch_(epoch), image_(image) {}

    // Every component of `path`, links followed inside the root.
    InodeId directory(const std::string& path, const std::string& why, std::uint16_t mode = 0755) {
        InodeId at = root_inode;
        for (const std::string& name : components(path, why)) {
            const auto found = tree_.inode(at).entries->find(name);
            if (found == tree_.inode(at).entries->end()) {
                at = add(at, name, FileType::directory, mode);
                continue;
            }
            const auto next = tree_.lookup_from(at, name);
            if (!next || !tree_.inode(*next).is_directory()) {
                refuse(why, path,
                       oci::printable(name) + (next ? " is not a directory" : " is a link to nothing"));
            }
            at = *next;
        }
        return at;
    }

    // runc mounts /proc and /sys on nothing else.
    void ordinary_directory(const std::string& path, const std::string& why) {
        const auto found = tree_.lookup(path, false);
        if (found && tree_.inode(*found).type == FileType::symlink) {
            refuse(why, path, "it is a symbolic link, which runtimes refuse");
        }
        directory(path, why);
    }

    void symlink(InodeId parent, const std::string& name, const std::string& target) {
        if (tree_.inode(parent).entries->contains(name)) {
            return;
        }
        Inode& made = tree_.inode(add(parent, name, FileType::symlink, 0777));
        made.target = target;
        made.size = target.size();
    }

    void empty_file(InodeId parent, const std::string& name) {
        if (!tree_.inode(parent).entries->contains(name)) {
            add(parent, name, FileType::regular, 0644);
        }
    }

private:
    InodeId add(InodeId parent, const std::string& name, FileType type, std::uint16_t mode) {
        Inode inode;
        inode.type = type;
        inode.mode = mode;
        inode.mtime = epoch_;
        const InodeId id = tree_.add(std::move(inode));
        tree_.link(parent, name, id, added_layer);
        return id;
    }

    // "/a/./b/../c" is a, c.
    std::vector<std::string> components(const std::string& path, const std::string& why) const {
        std::vector<std::string> out;
        if (path.size() >= longest_path || path.find('\0') != std::string::npos) {
            refuse(why, path, "it is no path");
        }
        for (std::size_t at = 0; at < path.size();) {
            const std::size_t end = std::min(path.find('/', at), path.size());
            const std::string name = path.substr(at, end - at);
            at = end + 1;
            if (name == "..") {
                if (!out.empty()) {
                    out.pop_back();
                }
            } else if (!name.empty() && name != ".") {
                if (name.size() > longest_name) {
                    refuse(why, path, "a name of " + std::to_string(name.size()) + " bytes");
                }
                out.push_back(name);
            }
        }
        return out;
    }

    [[noreturn]] void refuse(const std::string& why, const std::string& path,
                             const std::string& cause) const {
        throw diagnostic::fail(oci::Fault::conflict, image_ + ": " + why + " " + oci::printable(path) +
                                                         " cannot be mounted: " + cause)
            .help("no container runtime starts this image: make it a directory, or leave it out");
    }

    Tree& tree_;
    std::int64_t epoch_;
    const std::string& image_;
};

} // namespace

void add_runtime_files(Tree& tree, const std::vector<std::string>& volumes, std::int64_t epoch,
                       const std::string& image) {
    Adder adder(tree, epoch, image);
    adder.ordinary_directory("/proc", "the file system");
    adder.ordinary_directory("/sys", "the file system");
    adder.directory("/dev", "the file system");
    for (const std::string& volume : volumes) {
        adder.directory(volume, "the image's VOLUME");
    }
    if (!tree.lookup("/tmp", false)) {
        adder.directory("/tmp", "the directory", 01777);
    }
    const InodeId etc = adder.directory("/etc", "the directory");
    adder.symlink(etc, "mtab", "/proc/mounts");
    adder.empty_file(etc, "resolv.conf");
}

} // namespace rootfs
