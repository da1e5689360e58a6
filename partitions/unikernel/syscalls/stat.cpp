// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/syscalls/stat.cpp - what is told about files: stat, statx, statfs, extended attributes.
#include "partitions/unikernel/fs/overlay/volume.hpp"
#include "partitions/unikernel/syscalls/user_buffers.hpp"

#include <algorithm>

namespace uk {

using files::find_at;
using fs::File;
using fs::Node;

namespace {

constexpr int here = fs::at::working_directory;
constexpr std::int64_t second = 1'000'000'000;

struct UserTime {
    std::int64_t seconds;
    std::int64_t nanoseconds;
};

UserTime user_time(fs::Timestamp time) {
    std::int64_t seconds = time / second;
    std::int64_t rest = time % second;
    if (rest < 0) {
        rest += second;
        --seconds;
    }
    return {seconds, rest};
}

struct UserStatus { // struct stat
    std::uint64_t device, number, links;
    std::uint32_t mode, user, group, padding;
    std::uint64_t special_device;
    std::int64_t size, block_size, blocks;
    UserTime accessed, modified, changed;
    std::int64_t unused[3];
};
static_assert(sizeof(UserStatus) == 144);

SyscallResult give_status(Node& node, mm::UserAddress to) {
    const fs::Attributes from = fs::attributes(node);
    UserStatus out{};
    out.device = from.device;
    out.number = from.number;
    out.links = from.links;
    out.mode = from.mode;
    out.user = from.user;
    out.group = from.group;
    out.special_device = from.special_device;
    out.size = static_cast<std::int64_t>(from.size);
    out.block_size = from.block_bytes;
    out.blocks = static_cast<std::int64_t>(from.blocks);
    out.accessed = user_time(from.accessed);
    out.modified = user_time(from.modified);
    out.changed = user_time(from.changed);
    CAISSON_TRY(mm::write_user(to, out));
    return 0ul;
}

struct ExtendedTime {
    std::int64_t seconds;
    std::uint32_t nanoseconds;
    std::int32_t padding;
};

ExtendedTime extended_time(fs::Timestamp time) {
    const UserTime split = user_time(time);
    return {split.seconds, static_cast<std::uint32_t>(split.nanoseconds), 0};
}

struct ExtendedStatus { // struct statx
    std::uint32_t mask, block_size;
    std::uint64_t attributes;
    std::uint32_t links, user, group;
    std::uint16_t mode, padding;
    std::uint64_t number, size, blocks, attributes_mask;
    ExtendedTime accessed, created, changed, modified;
    std::uint32_t special_major, special_minor, major, minor;
    std::uint64_t mount;
    std::uint64_t unused[13];
};
static_assert(sizeof(ExtendedStatus) == 256);

struct UserFigures { // struct statfs
    std::uint64_t type, block_size, blocks, blocks_free, blocks_available, files, files_free;
    std::uint64_t id, name_bytes, fragment_size, flags;
    std::uint64_t unused[4];
};
static_assert(sizeof(UserFigures) == 120);

SyscallResult give_figures(Node& node, mm::UserAddress to) {
    constexpr std::uint64_t read_only = 1, valid = 0x20;
    const fs::VolumeFigures from = fs::figures(node);
    UserFigures out{};
    out.type = from.type;
    out.block_size = out.fragment_size = fs::page_bytes;
    out.blocks = from.blocks;
    out.blocks_free = out.blocks_available = from.blocks_free;
    out.files = from.files;
    out.files_free = from.files_free;
    out.id = from.id;
    out.name_bytes = fs::name_max;
    out.flags = valid | (from.read_only ? read_only : 0);
    CAISSON_TRY(mm::write_user(to, out));
    return 0ul;
}

} // namespace

namespace {

// What a stat call names; a null path with AT_EMPTY_PATH is the descriptor's own file (Linux 6.11).
Result<Ref<Node>> find_for_status(int directory, mm::UserAddress path, std::uint32_t flags) {
    if (path.value() != 0 || (flags & fs::at::empty_path) == 0)
        return find_at(directory, path, flags);
    if (directory == here)
        return files::context().working;
    return CAISSON_TRY(files::table().get(directory))->node;
}

} // namespace

SyscallResult sys_stat(const Arguments& arguments) {
    const Ref<Node> node = CAISSON_TRY(find_at(here, arguments.pointer(0), 0));
    return give_status(*node, arguments.pointer(1));
}

SyscallResult sys_lstat(const Arguments& arguments) {
    const Ref<Node> node = CAISSON_TRY(find_at(here, arguments.pointer(0), fs::at::symlink_no_follow));
    return give_status(*node, arguments.pointer(1));
}

SyscallResult sys_fstat(const Arguments& arguments) {
    const Ref<File> file = CAISSON_TRY(files::table().get(arguments.integer(0)));
    return give_status(*file->node, arguments.pointer(1));
}

SyscallResult sys_newfstatat(const Arguments& arguments) {
    constexpr std::uint32_t known = fs::at::symlink_no_follow | fs::at::no_automount | fs::at::empty_path;
    const std::uint32_t flags = arguments.word(3);
    if ((flags & ~known) != 0)
        return base::Failure{Errno::inval};
    const Ref<Node> node = CAISSON_TRY(find_for_status(arguments.integer(0), arguments.pointer(1), flags));
    return give_status(*node, arguments.pointer(2));
}

SyscallResult sys_statx(const Arguments& arguments) {
    constexpr std::uint32_t sync_flags = 0x6000, reserved_mask = 0x80000000, basic = 0x7FF;
    constexpr std::uint32_t known =
        fs::at::symlink_no_follow | fs::at::no_automount | fs::at::empty_path | sync_flags;
    const std::uint32_t flags = arguments.word(2);
    if ((flags & ~known) != 0 || (flags & sync_flags) == sync_flags ||
        (arguments.word(3) & reserved_mask) != 0)
        return base::Failure{Errno::inval};
    const Ref<Node> node =
        CAISSON_TRY(find_for_status(arguments.integer(0), arguments.pointer(1), flags & ~sync_flags));
    const fs::Attributes from = fs::attributes(*node);
    ExtendedStatus out{};
    out.mask = basic;
    out.block_size = from.block_bytes;
    out.links = from.links;
    out.user = from.user;
    out.group = from.group;
    out.mode = static_cast<std::uint16_t>(from.mode);
    out.number = from.number;
    out.size = from.size;
    out.blocks = from.blocks;
    out.accessed = extended_time(from.accessed);
    out.changed = extended_time(from.changed);
    out.modified = extended_time(from.modified);
    out.special_major = fs::device_major(from.special_device);
    out.special_minor = fs::device_minor(from.special_device);
    out.major = fs::device_major(from.device);
    out.minor = fs::device_minor(from.device);
    CAISSON_TRY(mm::write_user(arguments.pointer(4), out));
    return 0ul;
}

SyscallResult sys_statfs(const Arguments& arguments) {
    const Ref<Node> node = CAISSON_TRY(find_at(here, arguments.pointer(0), 0));
    return give_figures(*node, arguments.pointer(1));
}

SyscallResult sys_fstatfs(const Arguments& arguments) {
    const Ref<File> file = CAISSON_TRY(files::table().get(arguments.integer(0)));
    return give_figures(*file->node, arguments.pointer(1));
}

namespace {

// size 0 asks how much there is; too small a buffer is ERANGE.
SyscallResult give_bytes(std::span<const std::byte> bytes, mm::UserAddress to, std::uint64_t size) {
    if (size == 0)
        return std::uint64_t{bytes.size()};
    if (bytes.size() > size)
        return base::Failure{Errno::range};
    CAISSON_TRY(mm::copy_out(to, bytes.data(), bytes.size()));
    return std::uint64_t{bytes.size()};
}

SyscallResult get_attribute(Node& node, const Arguments& arguments) {
    std::array<char, 256> name{};
    const auto length = mm::copy_string(name, arguments.pointer(1));
    if (!length.ok())
        return base::Failure{length.error() == Errno::nametoolong ? Errno::range : length.error()};
    const auto value = CAISSON_TRY(fs::extended_attribute(node, {name.data(), *length}));
    return give_bytes(value, arguments.pointer(2), arguments[3]);
}

SyscallResult list_attributes(Node& node, const Arguments& arguments) {
    fs::TextSink names;
    CAISSON_TRY(fs::list_extended_attributes(node, names));
    return give_bytes(std::as_bytes(std::span{names.view()}), arguments.pointer(1), arguments[2]);
}

// Changing them is not there; what cannot be reached says so first.
SyscallResult refuse_attribute(const Result<Ref<Node>>& found) {
    return base::Failure{found.ok() ? Errno::opnotsupp : found.error()};
}

Result<Ref<Node>> node_of(int descriptor) {
    return CAISSON_TRY(files::usable(descriptor))->node;
}

} // namespace

SyscallResult sys_getxattr(const Arguments& arguments) {
    return get_attribute(*CAISSON_TRY(find_at(here, arguments.pointer(0), 0)), arguments);
}

SyscallResult sys_lgetxattr(const Arguments& arguments) {
    return get_attribute(*CAISSON_TRY(find_at(here, arguments.pointer(0), fs::at::symlink_no_follow)),
                         arguments);
}

SyscallResult sys_fgetxattr(const Arguments& arguments) {
    return get_attribute(*CAISSON_TRY(node_of(arguments.integer(0))), arguments);
}

SyscallResult sys_listxattr(const Arguments& arguments) {
    return list_attributes(*CAISSON_TRY(find_at(here, arguments.pointer(0), 0)), arguments);
}

SyscallResult sys_llistxattr(const Arguments& arguments) {
    return list_attributes(*CAISSON_TRY(find_at(here, arguments.pointer(0), fs::at::symlink_no_follow)),
                           arguments);
}

SyscallResult sys_flistxattr(const Arguments& arguments) {
    return list_attributes(*CAISSON_TRY(node_of(arguments.integer(0))), arguments);
}

SyscallResult sys_setxattr(const Arguments& arguments) {
    return refuse_attribute(find_at(here, arguments.pointer(0), 0));
}

SyscallResult sys_lsetxattr(const Arguments& arguments) {
    return refuse_attribute(find_at(here, arguments.pointer(0), fs::at::symlink_no_follow));
}

SyscallResult sys_fsetxattr(const Arguments& arguments) {
    return refuse_attribute(node_of(arguments.integer(0)));
}

SyscallResult sys_removexattr(const Arguments& arguments) {
    return refuse_attribute(find_at(here, arguments.pointer(0), 0));
}

SyscallResult sys_lremovexattr(const Arguments& arguments) {
    return refuse_attribute(find_at(here, arguments.pointer(0), fs::at::symlink_no_follow));
}

SyscallResult sys_fremovexattr(const Arguments& arguments) {
    return refuse_attribute(node_of(arguments.integer(0)));
}

} // namespace uk
