// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/fs/types.hpp - the words of the file systems: modes, open flags, identities,
// attributes.
//
// Values are those of the Linux x86-64 user ABI, so that handlers pass them through unchanged.
#pragma once

#include "partitions/unikernel/base/capabilities.hpp"
#include "partitions/unikernel/base/errno.hpp"
#include "partitions/unikernel/fs/groups.hpp"

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <utility>

namespace uk::fs {

using Timestamp = std::int64_t; // nanoseconds since 1970 UTC

inline constexpr std::size_t page_bytes = 4096;
inline constexpr std::size_t name_max = 255;
inline constexpr std::size_t path_max = 4096; // with the final NUL
inline constexpr unsigned symlinks_max = 40;

namespace mode {
inline constexpr std::uint32_t type_mask = 0170000;
inline constexpr std::uint32_t socket = 0140000;
inline constexpr std::uint32_t symlink = 0120000;
inline constexpr std::uint32_t regular = 0100000;
inline constexpr std::uint32_t block = 0060000;
inline constexpr std::uint32_t directory = 0040000;
inline constexpr std::uint32_t character = 0020000;
inline constexpr std::uint32_t fifo = 0010000;
inline constexpr std::uint32_t set_user = 04000;
inline constexpr std::uint32_t set_group = 02000;
inline constexpr std::uint32_t sticky = 01000;
inline constexpr std::uint32_t permissions = 07777;
} // namespace mode

namespace open_flag {
inline constexpr std::uint32_t access_mask = 3;
inline constexpr std::uint32_t read_only = 0;
inline constexpr std::uint32_t write_only = 1;
inline constexpr std::uint32_t read_write = 2;
inline constexpr std::uint32_t create = 0100;
inline constexpr std::uint32_t exclusive = 0200;
inline constexpr std::uint32_t no_controlling_tty = 0400;
inline constexpr std::uint32_t truncate = 01000;
inline constexpr std::uint32_t append = 02000;
inline constexpr std::uint32_t non_block = 04000;
inline constexpr std::uint32_t async = 020000;
inline constexpr std::uint32_t direct = 040000;
inline constexpr std::uint32_t large_file = 0100000;
inline constexpr std::uint32_t directory = 0200000;
inline constexpr std::uint32_t no_follow = 0400000;
inline constexpr std::uint32_t no_atime = 01000000;
inline constexpr std::uint32_t close_on_exec = 02000000;
inline constexpr std::uint32_t path = 010000000;
inline constexpr std::uint32_t temporary = 020000000; // with `directory`: O_TMPFILE
} // namespace open_flag

namespace at {
inline constexpr int working_directory = -100; // AT_FDCWD
inline constexpr std::uint32_t symlink_no_follow = 0x100;
inline constexpr std::uint32_t remove_directory = 0x200; // unlinkat; the same bit is AT_EACCESS for faccessat
inline constexpr std::uint32_t effective_access = 0x200;
inline constexpr std::uint32_t symlink_follow = 0x400;
inline constexpr std::uint32_t no_automount = 0x800;
inline constexpr std::uint32_t empty_path = 0x1000;
} // namespace at

// Permission bits as asked for by access(2) and by the walk.
namespace want {
inline constexpr unsigned execute = 1;
inline constexpr unsigned write = 2;
inline constexpr unsigned read = 4;
} // namespace want

// poll(2) events.
namespace ready {
inline constexpr std::uint32_t in = 0x001;
inline constexpr std::uint32_t priority = 0x002;
inline constexpr std::uint32_t out = 0x004;
inline constexpr std::uint32_t error = 0x008;
inline constexpr std::uint32_t hang_up = 0x010;
inline constexpr std::uint32_t invalid = 0x020;
inline constexpr std::uint32_t in_normal = 0x040;
inline constexpr std::uint32_t out_normal = 0x100;
inline constexpr std::uint32_t read_hang_up = 0x2000; // the other side sends no more
} // namespace ready

// Who acts. One per process; set*id handlers change it in place. The identity that files are checked against
// is the effective one.
struct Credentials {
    std::uint32_t real_user = 0, effective_user = 0, saved_user = 0;
    std::uint32_t real_group = 0, effective_group = 0, saved_group = 0;
    std::uint32_t file_user = 0,
                  file_group = 0; // for files: the effective ones, until setfsuid(2) says otherwise
    Ref<GroupList> groups;        // supplementary; nothing: none
    Capabilities capabilities{capability::all, capability::all, 0, 0, capability::all, 0};

    [[nodiscard]] bool can(CapabilitySet wanted) const { return capabilities.can(wanted); }
    // May it look into a process of `other`, as its real user or as the one for files?
    [[nodiscard]] bool may_trace(const Credentials& other, bool as_real) const;
    // Files are asked about as the real user would be answered: access(2).
    void become_real() {
        file_user = real_user;
        file_group = real_group;
        capabilities.become_real(real_user);
    }
    [[nodiscard]] std::span<const std::uint32_t> group_list() const {
        return groups ? std::as_const(*groups).ids() : std::span<const std::uint32_t>{};
    }
    [[nodiscard]] bool in_group(std::uint32_t group) const;
};

struct Attributes {
    std::uint64_t device = 0; // of the file system
    std::uint64_t number = 0;
    std::uint32_t mode = 0;
    std::uint32_t links = 0;
    std::uint32_t user = 0, group = 0;
    std::uint64_t special_device = 0; // st_rdev
    std::uint64_t size = 0;
    std::uint64_t blocks = 0;               // of 512 bytes
    std::uint32_t block_bytes = page_bytes; // st_blksize
    Timestamp accessed = 0, modified = 0, changed = 0;
};

struct VolumeFigures { // statfs
    std::uint64_t type = 0;
    std::uint64_t blocks = 0, blocks_free = 0; // of 4 KiB
    std::uint64_t files = 0, files_free = 0;
    std::uint64_t id = 0;
    bool read_only = false;
};

constexpr std::uint64_t make_device(std::uint32_t major, std::uint32_t minor) {
    return (std::uint64_t{major & 0xFFF} << 8) | (minor & 0xFF) | (std::uint64_t{minor & 0xFFF00} << 12);
}
constexpr std::uint32_t device_major(std::uint64_t device) {
    return static_cast<std::uint32_t>(device >> 8) & 0xFFF;
}
constexpr std::uint32_t device_minor(std::uint64_t device) {
    return static_cast<std::uint32_t>(device & 0xFF) | (static_cast<std::uint32_t>(device >> 12) & 0xFFF00);
}

} // namespace uk::fs
