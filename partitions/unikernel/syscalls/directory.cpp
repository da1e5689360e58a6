// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/syscalls/directory.cpp - names: listing, making, removing, moving; the working directory.
#include "partitions/unikernel/mm/heap.hpp"
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

SyscallResult go_to(const Ref<Node>& node) {
    CAISSON_TRY(fs::change_directory(context(), node));
    share_place(current_process());
    return 0ul;
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
    return go_to(CAISSON_TRY(files::find_at(here, arguments.pointer(0), 0)));
}

SyscallResult sys_fchdir(const Arguments& arguments) {
    const Ref<File> file = CAISSON_TRY(files::table().get(arguments.integer(0)));
    return go_to(file->node);
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

// Entries as getdents64 lays them out, gathered in a page and written to user memory from there.
class Listing {
public:
    Listing(File& file, mm::UserAddress to, std::uint64_t size)
        : file_(file), to_(to), left_(size), unwritten_from_(file.position) {}
    Listing(const Listing&) = delete;
    Listing& operator=(const Listing&) = delete;
    ~Listing() { mm::free(page_); }

    [[nodiscard]] bool made() const { return page_ != nullptr; }
    static bool emit(void* self, const fs::ListedEntry& entry) {
        return static_cast<Listing*>(self)->add(entry);
    }
    // What is gathered goes to user memory; where it cannot, the listing goes on with it another time.
    [[nodiscard]] bool flush() {
        const auto target = to_.plus(written_);
        if (!target || !mm::copy_out(*target, page_, gathered_).ok()) {
            file_.position = unwritten_from_;
            stopped_by = Errno::fault;
            return false;
        }
        written_ += gathered_;
        gathered_ = 0;
        unwritten_from_ = file_.position;
        return true;
    }
    [[nodiscard]] std::uint64_t written() const { return written_; }

    Errno stopped_by{}; // why the last entry was not written

private:
    [[nodiscard]] bool add(const fs::ListedEntry& entry) {
        constexpr std::size_t header = 19;
        const std::size_t bytes = (header + entry.name.size() + 1 + 7) / 8 * 8;
        if (bytes > left_) {
            stopped_by = Errno::inval;
            return false;
        }
        if (bytes > page_bytes - gathered_ && !flush())
            return false;
        std::byte* const record = page_ + gathered_;
        const std::uint64_t head[] = {entry.number, entry.next,
                                      bytes | (std::uint64_t{entry.type >> 12} << 16)};
        __builtin_memcpy(record, head, sizeof(head));
        constexpr std::uint64_t zeros = 0; // behind the name
        if (bytes > sizeof(head))
            __builtin_memcpy(record + bytes - sizeof(zeros), &zeros, sizeof(zeros));
        std::memcpy(record + header, entry.name.data(), entry.name.size());
        gathered_ += bytes;
        left_ -= bytes;
        return true;
    }

    static constexpr std::size_t page_bytes = 2016; // the heap's largest object within a frame
    File& file_;
    mm::UserAddress to_;
    std::uint64_t left_;
    std::uint64_t unwritten_from_; // position of what is gathered
    std::uint64_t written_ = 0;
    std::byte* page_ = static_cast<std::byte*>(mm::allocate(page_bytes));
    std::size_t gathered_ = 0;
};

} // namespace

SyscallResult sys_getdents64(const Arguments& arguments) {
    const Ref<File> file = CAISSON_TRY(files::usable(arguments.integer(0)));
    Listing listing{*file, arguments.pointer(1), arguments.word(2)};
    if (!listing.made())
        return base::Failure{Errno::nomem};
    CAISSON_TRY(fs::list(*file, Listing::emit, &listing));
    if (!listing.flush() && listing.written() == 0)
        return base::Failure{Errno::fault};
    if (listing.written() == 0 && listing.stopped_by != Errno{})
        return base::Failure{listing.stopped_by};
    return listing.written();
}

} // namespace uk
