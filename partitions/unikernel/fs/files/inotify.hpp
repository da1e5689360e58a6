// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/fs/files/inotify.hpp - who is told what happens to files and names (inotify(7)).
//
// A watch hangs on its node, and keeps it while that has a name; what then goes with its last user says so.
// Where nobody watches anything, telling costs one comparison.
#pragma once

#include "partitions/unikernel/fs/files/file.hpp"

#include <string_view>

namespace uk::fs {

namespace notice { // IN_...
inline constexpr std::uint32_t access = 1, modify = 2, attributes = 4, close_write = 8, close_no_write = 0x10,
                               open = 0x20, moved_from = 0x40, moved_to = 0x80, create = 0x100,
                               remove = 0x200, remove_self = 0x400, move_self = 0x800;
inline constexpr std::uint32_t all = 0xFFF;
inline constexpr std::uint32_t overflow = 0x4000, ignored = 0x8000;
inline constexpr std::uint32_t only_directory = 0x0100'0000, no_follow = 0x0200'0000,
                               exclude_unlinked = 0x0400'0000, mask_create = 0x1000'0000,
                               mask_add = 0x2000'0000, is_directory = 0x4000'0000, one_shot = 0x8000'0000;
} // namespace notice

// `node` is an anonymous one; `flags`: open_flag::non_block.
[[nodiscard]] Result<Ref<File>> make_inotify(Ref<Node> node, std::uint32_t flags);
[[nodiscard]] bool is_inotify(const File& file);

// The watch's number: a new one, or the one that the node has already, with `mask` in the place of its own
// (mask_add: joined to it; mask_create: exist). Errors: inval, nomem, nospc.
[[nodiscard]] Result<int> add_watch(File& inotify, Node& node, std::uint32_t mask);
[[nodiscard]] Status remove_watch(File& inotify, int number); // inval

namespace told {
extern unsigned watches; // in all

void happened(Node& node, std::uint32_t what);
void itself(Node& node, std::uint32_t what);
void named(Node& directory, std::string_view name, const Node& node, std::uint32_t what,
           std::uint32_t cookie);
void nameless(Node& node);
void gone(Node& node);
} // namespace told

// Something happened to the node: for those who watch it, and those who watch its directory.
inline void tell(Node& node, std::uint32_t what) {
    if (told::watches != 0)
        told::happened(node, what);
}
// ... that its directory is not told of.
inline void tell_itself(Node& node, std::uint32_t what) {
    if (told::watches != 0)
        told::itself(node, what);
}
// ... to a name of the directory.
inline void tell_name(Node& directory, std::string_view name, const Node& node, std::uint32_t what,
                      std::uint32_t cookie = 0) {
    if (told::watches != 0)
        told::named(directory, name, node, what, cookie);
}
// The node has no name any more: watches no longer keep it.
inline void tell_nameless(Node& node) {
    if (told::watches != 0)
        told::nameless(node);
}
// The node goes.
inline void tell_gone(Node& node) {
    if (told::watches != 0)
        told::gone(node);
}
// What joins the two halves of a rename.
[[nodiscard]] std::uint32_t next_cookie();

} // namespace uk::fs
