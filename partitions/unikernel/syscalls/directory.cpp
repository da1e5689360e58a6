// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/syscalls/directory.cpp - names: listing, making, removing, moving; the working directory.
#include "partitions/unikernel/syscalls/user_buffers.hpp"

#include <cstring>

namespace uk {

using files::context;
using files::UserPath;
using fs::File;
using fs::Node;

namespace {

constexpr int here = fs::at::working_directory;

// A path argument together with where it begins.
struct Argument {
    UserPath text;
    Ref<Node> start;

    [[nodiscard]] Status read(int directory, mm::UserAddress path) {
        CAISSON_TRY(text.read(path));
        start = CAISSON_TRY(files::start_of(directory, text.view()));
        return base::success;
    }
};

SyscallResult done(const Status& status) {
    if (!status.ok())
        return base::Failure{status.error()};
    return 0ul;
}

SyscallResult make_directory_at(int directory, mm::UserAddress path, std::uint32_t mode) {
    Argument place;
    CAISSON_TRY(place.read(directory, path));
    return done(fs::make_directory(context(), *place.start, place.text.view(), mode));
}

SyscallResult make_node_at(int directory, mm::UserAddress path, std::uint32_t mode, std::uint64_t device) {
    Argument place;
    CAISSON_TRY(place.read(directory, path));
    return done(fs::make_node(context(), *place.start, place.text.view(), mode, device));
}

SyscallResult unlink_at(int directory, mm::UserAddress path, std::uint32_t flags) {
    if ((flags & ~fs::at::remove_directory) != 0)
        return base::Failure{Errno::inval};
    Argument place;
    CAISSON_TRY(place.read(directory, path));
    if (flags != 0)
        return done(fs::remove_directory(context(), *place.start, place.text.view()));
    return done(fs::unlink(context(), *place.start, place.text.view()));
}

SyscallResult symlink_at(mm::UserAddress target, int directory, mm::UserAddress path) {
    UserPath text;
    CAISSON_TRY(text.read(target));
    Argument place;
    CAISSON_TRY(place.read(directory, path));
    return done(fs::make_symlink(context(), text.view(), *place.start, place.text.view()));
}

SyscallResult link_at(int from_directory, mm::UserAddress from, int to_directory, mm::UserAddress to,
                      std::uint32_t flags) {
    if ((flags & ~(fs::at::symlink_follow | fs::at::empty_path)) != 0)
        return base::Failure{Errno::inval};
    Argument source;
    Argument target;
    CAISSON_TRY(source.read(from_directory, from));
    CAISSON_TRY(target.read(to_directory, to));
    return done(fs::make_link(context(), *source.start, source.text.view(), *target.start, target.text.view(),
                              flags));
}

SyscallResult rename_at(int from_directory, mm::UserAddress from, int to_directory, mm::UserAddress to,
                        std::uint32_t flags) {
    Argument source;
    Argument target;
    CAISSON_TRY(source.read(from_directory, from));
    CAISSON_TRY(target.read(to_directory, to));
    return done(
        fs::rename(context(), *source.start, source.text.view(), *target.start, target.text.view(), flags));
}

} // namespace

SyscallResult sys_mkdir(const Arguments& arguments) {
    return make_directory_at(here, arguments.pointer(0), arguments.word(1));
}

SyscallResult sys_mkdirat(const Arguments& arguments) {
    return make_directory_at(arguments.integer(0), arguments.pointer(1), arguments.word(2));
}

SyscallResult sys_mknod(const Arguments& arguments) {
    return make_node_at(here, arguments.pointer(0), arguments.word(1), arguments.word(2));
}

SyscallResult sys_mknodat(const Arguments& arguments) {
    return make_node_at(arguments.integer(0), arguments.pointer(1), arguments.word(2), arguments.word(3));
}

SyscallResult sys_rmdir(const Arguments& arguments) {
    return unlink_at(here, arguments.pointer(0), fs::at::remove_directory);
}

SyscallResult sys_unlink(const Arguments& arguments) {
    return unlink_at(here, arguments.pointer(0), 0);
}

SyscallResult sys_unlinkat(const Arguments& arguments) {
    return unlink_at(arguments.integer(0), arguments.pointer(1), arguments.word(2));
}

SyscallResult sys_symlink(const Arguments& arguments) {
    return symlink_at(arguments.pointer(0), here, arguments.pointer(1));
}

SyscallResult sys_symlinkat(const Arguments& arguments) {
    return symlink_at(arguments.pointer(0), arguments.integer(1), arguments.pointer(2));
}

SyscallResult sys_link(const Arguments& arguments) {
    return link_at(here, arguments.pointer(0), here, arguments.pointer(1), 0);
}

SyscallResult sys_linkat(const Arguments& arguments) {
    return link_at(arguments.integer(0), arguments.pointer(1), arguments.integer(2), arguments.pointer(3),
                   arguments.word(4));
}

SyscallResult sys_rename(const Arguments& arguments) {
    return rename_at(here, arguments.pointer(0), here, arguments.pointer(1), 0);
}

SyscallResult sys_renameat(const Arguments& arguments) {
    return rename_at(arguments.integer(0), arguments.pointer(1), arguments.integer(2), arguments.pointer(3),
                     0);
}

SyscallResult sys_renameat2(const Arguments& arguments) {
    return rename_at(arguments.integer(0), arguments.pointer(1), arguments.integer(2), arguments.pointer(3),
                     arguments.word(4));
}

SyscallResult sys_chdir(const Arguments& arguments) {
    const Ref<Node> node = CAISSON_TRY(files::find_at(here, arguments.pointer(0), 0));
    return done(fs::change_directory(context(), node));
}

SyscallResult sys_fchdir(const Arguments& arguments) {
    const Ref<File> file = CAISSON_TRY(files::table().get(arguments.integer(0)));
    return done(fs::change_directory(context(), file->node));
}

SyscallResult sys_getcwd(const Arguments& arguments) {
    fs::TextSink path;
    CAISSON_TRY(fs::path_of_working_directory(context(), path));
    path << '\0';
    const std::string_view text = path.view();
    if (!path.complete())
        return base::Failure{Errno::nomem};
    if (text.size() > arguments[1])
        return base::Failure{Errno::range};
    CAISSON_TRY(mm::copy_out(arguments.pointer(0), text.data(), text.size()));
    return std::uint64_t{text.size()};
}

namespace {

// Entries as getdents64 lays them out, written to user memory one by one.
struct Listing {
    mm::UserAddress to;
    std::uint64_t size;
    std::uint64_t written = 0;
    Errno stopped_by{}; // why the last entry was not written
};

bool emit_entry(void* context_pointer, const fs::ListedEntry& entry) {
    constexpr std::size_t header = 19;
    auto& listing = *static_cast<Listing*>(context_pointer);
    std::array<std::byte, (header + fs::name_max + 1 + 7) / 8 * 8> record{};
    const std::size_t bytes = (header + entry.name.size() + 1 + 7) / 8 * 8;
    if (bytes > listing.size - listing.written) {
        listing.stopped_by = Errno::inval;
        return false;
    }
    const auto length = static_cast<std::uint16_t>(bytes);
    const auto type = static_cast<std::uint8_t>(entry.type >> 12);
    std::memcpy(record.data(), &entry.number, 8);
    std::memcpy(record.data() + 8, &entry.next, 8);
    std::memcpy(record.data() + 16, &length, 2);
    std::memcpy(record.data() + 18, &type, 1);
    std::memcpy(record.data() + header, entry.name.data(), entry.name.size());
    const auto target = listing.to.plus(listing.written);
    if (!target || !mm::copy_out(*target, record.data(), bytes).ok()) {
        listing.stopped_by = Errno::fault;
        return false;
    }
    listing.written += bytes;
    return true;
}

} // namespace

SyscallResult sys_getdents64(const Arguments& arguments) {
    const Ref<File> file = CAISSON_TRY(files::usable(arguments.integer(0)));
    Listing listing{arguments.pointer(1), arguments.word(2)};
    CAISSON_TRY(fs::list(*file, emit_entry, &listing));
    if (listing.written == 0 && listing.stopped_by != Errno{})
        return base::Failure{listing.stopped_by};
    return listing.written;
}

} // namespace uk
