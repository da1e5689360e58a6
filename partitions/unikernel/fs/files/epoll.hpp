// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/fs/files/epoll.hpp - sets of watched files (epoll(7)).
//
// A watch waits in its file's queue for as long as it exists; what happens there puts it on its set's ready
// list. So a wait costs what is ready, a close the watches of that file, and an edge is what was put on the
// list since it was last reported.
#pragma once

#include "partitions/unikernel/fs/files/file.hpp"

namespace uk::fs {

namespace epoll_flag {
inline constexpr std::uint32_t edge = 1u << 31;
inline constexpr std::uint32_t one_shot = 1u << 30;
inline constexpr std::uint32_t wake_up = 1u << 29;
inline constexpr std::uint32_t exclusive = 1u << 28;
} // namespace epoll_flag

// `node` is an anonymous one.
[[nodiscard]] Result<Ref<File>> make_epoll(Ref<Node> node);

// `set` is a file of epoll_file. Errors: exist, noent, nomem, perm (a file that is always ready), loop (sets
// in a circle or nested too deep), inval.
[[nodiscard]] Status add_watch(File& set, File& file, int descriptor, std::uint32_t events,
                               std::uint64_t data);
[[nodiscard]] Status change_watch(File& set, File& file, int descriptor, std::uint32_t events,
                                  std::uint64_t data);
[[nodiscard]] Status remove_watch(File& set, File& file, int descriptor);
void forget_watches(File& file); // it goes: nothing watches it any more

struct Report {
    std::uint32_t events;
    std::uint64_t data;
};
using TakeReport = bool (*)(std::uint64_t where, std::size_t index, const Report& report);
// Has `take` take what is ready now, each watch once and at most `most`; edges and one-shots that it took are spent. Where it
// refuses one, that and the rest stay ready; error fault where that was the first.
[[nodiscard]] Result<std::size_t> collect(File& set, std::size_t most, TakeReport take, std::uint64_t where);

} // namespace uk::fs
