// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/net/rights.hpp - open files on their way through a socket (SCM_RIGHTS).
//
// A message owns its Rights from the call that sends it to the one that receives it. While they lie in a
// queue they are "in flight": sockets among them count that, so that circles of sockets which only hold each
// other are found (local/collect.cpp).
#pragma once

#include "partitions/unikernel/fs/files/file.hpp"

#include <memory>
#include <span>

namespace uk::net {

inline constexpr std::uint32_t most_rights = 253; // SCM_MAX_FD

struct Rights {
    Rights* next = nullptr; // of those to be dropped
    bool in_flight = false;
    std::uint32_t count = 0;
    [[nodiscard]] std::span<fs::File*> files() { return {reinterpret_cast<fs::File**>(this + 1), count}; }
};

struct DropRights {
    void operator()(Rights* rights) const; // closes what was not taken
};
using OwnedRights = std::unique_ptr<Rights, DropRights>;

// Room for `count` files, each to be set with a reference. nullptr: out of memory.
[[nodiscard]] OwnedRights make_rights(std::uint32_t count);
// The same files once more (MSG_PEEK). nullptr: out of memory.
[[nodiscard]] OwnedRights copy_rights(Rights& rights);

// Into and out of a queue.
[[nodiscard]] Rights* enter_flight(OwnedRights rights);
[[nodiscard]] OwnedRights leave_flight(Rights* rights);

// Files in flight now.
[[nodiscard]] std::uint64_t files_in_flight();
[[nodiscard]] bool dropping_rights();

} // namespace uk::net
