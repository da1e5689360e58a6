// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/fs/tree.hpp - all mounted file systems of the partition: made once at start.
//
//   static Tree tree;
//   tree.start({image, limit, read_only});   tree.mount_tmpfs("/run", 01777, size);   tree.finish();
//   Context context = tree.context(credentials, "/srv");   tree.open_standard(table);
#pragma once

#include "partitions/unikernel/fs/context.hpp"
#include "partitions/unikernel/fs/files/file_table.hpp"
#include "partitions/unikernel/fs/overlay/volume.hpp"

#include <span>

namespace uk::fs {

struct TreeOptions {
    std::span<const std::byte> root_image; // read-only memory, page aligned; empty: an empty root in memory
    std::uint64_t writable_limit = 0;      // bytes of overlay
    bool read_only = false;
};

class Tree {
public:
    Tree() = default;
    Tree(const Tree&) = delete;
    Tree& operator=(const Tree&) = delete;
    ~Tree() = default;
    // Gives everything back, for the end of a test: no context, file or node of the tree may be left.
    void tear_down();

    // The root, with /proc, /sys, /dev and /dev/shm on it. Errors: io (not a sound EROFS image), nomem.
    [[nodiscard]] Status start(const TreeOptions& options);
    [[nodiscard]] Status mount_tmpfs(std::string_view path, std::uint32_t mode, std::uint64_t bytes);
    // A file of root's, 0644; its directory is made too. Errors: nomem, notdir, and of one that is replaced those of open(2).
    enum class Existing : std::uint8_t { kept, replaced };
    [[nodiscard]] Status add_file(std::string_view path, std::string_view contents, Existing existing);
    // Ends the preparation: from now on a read-only root refuses changes.
    void finish();

    // Root as root directory. A working directory that is missing is made, as container runtimes do.
    [[nodiscard]] Result<Context> context(const Credentials& credentials, std::string_view working_directory);
    // Descriptors 0 (always at the end of input), 1 and 2 (the console).
    [[nodiscard]] Status open_standard(FileTable& table);

    [[nodiscard]] Node& root() { return *root_; }
    [[nodiscard]] Node& terminals(); // /dev/pts
    // Text of /proc/mounts; `mountinfo`: of /proc/self/mountinfo.
    void describe_mounts(TextSink& out, bool mountinfo) const;

    // The one tree of the partition, for pipes and /proc; set by start().
    [[nodiscard]] static Tree& current();
    // A node without a name: pipes, event counters.
    [[nodiscard]] Result<Ref<Node>> make_anonymous(std::uint32_t mode);

    // mm/object.hpp
    [[nodiscard]] bool give_back_kept() { return root_ && root_->volume->give_back_kept(); }

private:
    [[nodiscard]] Result<Volume*> make_volume(VolumeKind kind, std::uint64_t limit);
    [[nodiscard]] Status mount(std::string_view path, Volume& volume, Ref<Node> root);
    [[nodiscard]] Status populate_devices();

    Ref<Node> root_;
    Volume* volumes_ = nullptr; // list, the newest first
    Volume* anonymous_ = nullptr;
    std::uint32_t next_volume_ = 1;
    TreeOptions options_;
};

} // namespace uk::fs
