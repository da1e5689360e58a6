// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/fs/proc/synthetic.hpp - /proc and /sys: entries that exist when they are looked at.
#pragma once

#include "partitions/unikernel/fs/overlay/volume.hpp"

namespace uk::fs {

[[nodiscard]] Result<Ref<Node>> make_synthetic_root(Volume& volume);
[[nodiscard]] Result<Ref<Node>> look_up_synthetic(Volume& volume, Node& directory, std::string_view name);
[[nodiscard]] Result<std::optional<Volume::ListedName>> synthetic_name_at(Node& directory,
                                                                          std::uint64_t cookie);
[[nodiscard]] std::string_view synthetic_name(const Node& node, TextSink& made);

// The text of a file of /proc or /sys now.
[[nodiscard]] Status synthetic_text(const Node& node, TextSink& out);
// What is written to one. inval, perm, acces.
[[nodiscard]] Status synthetic_write(const Node& node, std::string_view text);
[[nodiscard]] bool is_process_memory(const Node& node); // /proc/PID/mem: a file of memory_file
// Links that lead to a node directly (/proc/PID/exe, fd/N): the node; nothing for links that have a target
// text.
[[nodiscard]] Result<Ref<Node>> follow_synthetic(const Node& link);
// May `who` look into the entries of this process (its links and private texts)?
[[nodiscard]] bool may_inspect(const Node& node, const Credentials& who);

} // namespace uk::fs
