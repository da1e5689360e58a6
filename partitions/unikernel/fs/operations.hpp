// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/fs/operations.hpp - what can be done to the tree by path, with every permission
// checked.
//
// `start` is where a relative path begins: the context's working directory, or a descriptor's directory.
// Paths are kernel copies without the final NUL. Flags are those of the system calls (at::...,
// open_flag::...). An operation that returns an error leaves the tree as it was.
#pragma once

#include "partitions/unikernel/fs/context.hpp"
#include "partitions/unikernel/fs/files/file.hpp"
#include "partitions/unikernel/fs/walk.hpp"

#include <optional>

namespace uk::fs {

// For open(2). A fifo that has no peer yet is returned all the same: the caller waits while
// fifo_waits_for_peer().
[[nodiscard]] Result<Ref<File>> open(Context& context, Node& start, std::string_view path,
                                     std::uint32_t flags, std::uint32_t mode);
[[nodiscard]] bool fifo_waits_for_peer(const File& file);
// For exec: a regular file that may be executed. Errors: acces, noent, ...
[[nodiscard]] Result<Ref<Node>> find_executable(Context& context, Node& start, std::string_view path);
[[nodiscard]] Status may_execute(const Context& context, const Node& node);
// The node that a path names; `flags` at::symlink_no_follow and at::empty_path.
[[nodiscard]] Result<Ref<Node>> find(Context& context, Node& start, std::string_view path,
                                     std::uint32_t flags);

[[nodiscard]] Attributes attributes(Node& node);
[[nodiscard]] VolumeFigures figures(Node& node);
// Set-id bits that a file loses when `who` writes to it.
[[nodiscard]] std::uint32_t privileges_lost_by_writing(const Node& node, const Credentials& who);
// With the real identity unless `effective`.
[[nodiscard]] Status check_access(Context& context, Node& node, unsigned wanted, bool effective);

// The link's target, as a view valid while the node lives; generated ones (/proc/self/exe) go to `made`.
[[nodiscard]] Result<std::string_view> read_link(Context& context, Node& link, TextSink& made);

// A new node for a directory, umask applied, that has no name yet.
[[nodiscard]] Result<Ref<Node>> create_nameless(Context& context, Node& directory, std::uint32_t mode);
// A new node at a free place, umask applied; a symlink gets its name later, with its target.
[[nodiscard]] Result<Ref<Node>> create_node(Context& context, const Place& place, std::uint32_t mode,
                                            std::uint64_t device);
[[nodiscard]] Status make_directory(Context& context, Node& start, std::string_view path, std::uint32_t mode);
[[nodiscard]] Status make_node(Context& context, Node& start, std::string_view path, std::uint32_t mode,
                               std::uint64_t device);
[[nodiscard]] Status make_symlink(Context& context, std::string_view target, Node& start,
                                  std::string_view path);
[[nodiscard]] Status make_link(Context& context, Node& from_start, std::string_view from, Node& to_start,
                               std::string_view to, std::uint32_t flags);
[[nodiscard]] Status remove_directory(Context& context, Node& start, std::string_view path);
[[nodiscard]] Status unlink(Context& context, Node& start, std::string_view path);

inline constexpr std::uint32_t rename_no_replace = 1;
inline constexpr std::uint32_t rename_exchange = 2;
[[nodiscard]] Status rename(Context& context, Node& from_start, std::string_view from, Node& to_start,
                            std::string_view to, std::uint32_t flags);

// On a node found before (by path or by descriptor).
[[nodiscard]] Status change_mode(Context& context, Node& node, std::uint32_t mode);
inline constexpr std::uint32_t keep_owner = ~std::uint32_t{0};
[[nodiscard]] Status change_owner(Context& context, Node& node, std::uint32_t user, std::uint32_t group);
struct NewTime {
    enum class Kind : std::uint8_t { omit, now, set } kind = Kind::omit;
    Timestamp value = 0;
};
[[nodiscard]] Status change_times(Context& context, Node& node, NewTime accessed, NewTime modified);
[[nodiscard]] Status truncate(Context& context, Node& node, std::uint64_t size); // checks write permission
[[nodiscard]] Status change_directory(Context& context, Ref<Node> node);
// mode of fallocate(2): 0, 1 KEEP_SIZE, 3 PUNCH_HOLE | KEEP_SIZE, 0x10 ZERO_RANGE.
[[nodiscard]] Status allocate_range(File& file, std::uint32_t mode, std::uint64_t offset,
                                    std::uint64_t bytes);

// Path of the working directory as seen from the context's root. noent: it was removed.
[[nodiscard]] Status path_of_working_directory(Context& context, TextSink& out);

// One name of a directory. False from `emit`: enough.
struct ListedEntry {
    std::uint64_t number;
    std::uint64_t next; // position to continue behind this entry
    std::uint32_t type; // mode::...
    std::string_view name;
};
using Emit = bool (*)(void* context, const ListedEntry& entry);
// Lists from the file's position, which moves behind the last entry that `emit` took.
[[nodiscard]] Status list(File& directory, Emit emit, void* context);

// Extended attributes of the root image: full names ("user.mime"). nodata: not there.
// What the attribute security.capability of a program file gives; nothing where it is not there, not sound, or lost by a write.
[[nodiscard]] FileCapabilities file_capabilities(const Node& file);
[[nodiscard]] Result<std::span<const std::byte>> extended_attribute(Node& node, std::string_view name);
[[nodiscard]] Status list_extended_attributes(Node& node, TextSink& names); // each followed by NUL

} // namespace uk::fs
