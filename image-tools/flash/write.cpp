// SPDX-License-Identifier: Apache-2.0
#include "image-tools/flash/write.hpp"

#include "image-tools/disk/piece.hpp"
#include "image-tools/files/atomic_file.hpp"
#include "image-tools/files/zeros.hpp"

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <fcntl.h>
#include <linux/fs.h>
#include <span>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace flash {
namespace {

using disk::sector;
constexpr std::uint64_t mebibyte = 1u << 20;
constexpr std::size_t chunk = 4u << 20, alignment = 4096;

// Memory that O_DIRECT takes.
class Buffer {
public:
    Buffer() : bytes_(static_cast<std::uint8_t*>(std::aligned_alloc(alignment, chunk))) {
        if (bytes_ == nullptr)
            throw std::bad_alloc();
    }
    Buffer(const Buffer&) = delete;
    Buffer& operator=(const Buffer&) = delete;
    ~Buffer() { std::free(bytes_); }
    [[nodiscard]] std::span<std::uint8_t> first(std::uint64_t count) {
        return {bytes_, static_cast<std::size_t>(std::min<std::uint64_t>(count, chunk))};
    }

private:
    std::uint8_t* bytes_;
};

class RealDisk final : public Disk {
public:
    RealDisk(const std::filesystem::path& path, Access access) : name_(path.string()) {
        struct stat status {};
        const bool device = ::stat(path.c_str(), &status) == 0 && S_ISBLK(status.st_mode);
        // O_EXCL: of a block device, that no file system, RAID or other program like this one has it.
        const int flags = O_CLOEXEC | (access == Access::write ? O_RDWR : O_RDONLY) |
                          (device && access == Access::write ? O_EXCL : 0);
        descriptor_ = ::open(path.c_str(), flags);
        if (descriptor_ < 0) {
            const int error = errno;
            throw diagnostic::fail_system("E0608", "cannot open " + name_, error)
                .help(error == EACCES  ? "disks belong to root: sudo caisson flash ..."
                      : error == EBUSY ? "something uses it; lsblk shows what"
                                       : "");
        }
        if (access == Access::write && !device && ::flock(descriptor_, LOCK_EX | LOCK_NB) != 0) {
            ::close(descriptor_);
            throw diagnostic::fail("E0608", name_ + " is being written by another program");
        }
        std::uint64_t size = 0;
        if (device ? ::ioctl(descriptor_, BLKGETSIZE64, &size) != 0 : ::fstat(descriptor_, &status) != 0) {
            const int error = errno;
            ::close(descriptor_);
            throw diagnostic::fail_system("E0601", "cannot read the size of " + name_, error);
        }
        bytes_ = (device ? size : static_cast<std::uint64_t>(status.st_size)) / sector * sector;
        device_ = device;
        writes_ = access == Access::write;
        direct(true);
    }
    RealDisk(const RealDisk&) = delete;
    RealDisk& operator=(const RealDisk&) = delete;
    ~RealDisk() override {
        if (device_ && writes_)
            (void)::ioctl(descriptor_,
                          BLKRRPART); // so that the new partition shows; where it fails, after plugging in
        ::close(descriptor_);
    }

    [[nodiscard]] std::uint64_t bytes() const override { return bytes_; }

    void write(std::uint64_t at, std::span<const std::uint8_t> from) override {
        for (std::size_t done = 0; done < from.size();) {
            const ssize_t put =
                ::pwrite(descriptor_, from.data() + done, from.size() - done, static_cast<off_t>(at + done));
            if (put > 0)
                done += static_cast<std::size_t>(put);
            else if (!again(put))
                throw diagnostic::fail_system(
                    "E0602", "cannot write " + name_ + " at byte " + std::to_string(at + done), errno);
        }
    }
    void read(std::uint64_t at, std::span<std::uint8_t> to) override {
        for (std::size_t done = 0; done < to.size();) {
            const ssize_t got =
                ::pread(descriptor_, to.data() + done, to.size() - done, static_cast<off_t>(at + done));
            if (got > 0)
                done += static_cast<std::size_t>(got);
            else if (!again(got))
                throw diagnostic::fail_system(
                    "E0601", "cannot read " + name_ + " at byte " + std::to_string(at + done),
                    got == 0 ? EIO : errno);
        }
    }
    void settle() override {
        if (::fsync(descriptor_) != 0)
            throw diagnostic::fail_system("E0602", "cannot write " + name_, errno);
        if (device_)
            (void)::ioctl(descriptor_, BLKFLSBUF);
        else
            (void)::posix_fadvise(descriptor_, 0, 0, POSIX_FADV_DONTNEED);
    }

private:
    void direct(bool on) {
        const int flags = ::fcntl(descriptor_, F_GETFL);
        direct_ = ::fcntl(descriptor_, F_SETFL, on ? flags | O_DIRECT : flags & ~O_DIRECT) == 0 && on;
    }
    // After a call that moved nothing: whether it is worth another try. Some file systems take the flag and refuse the call.
    bool again(ssize_t result) {
        if (result < 0 && errno == EINTR)
            return true;
        if (result < 0 && errno == EINVAL && direct_) {
            direct(false);
            return true;
        }
        return false;
    }

    std::string name_;
    int descriptor_ = -1;
    std::uint64_t bytes_ = 0;
    bool device_ = false, writes_ = false, direct_ = false;
};

// All that the disk is to hold besides the partition's bytes, and where: the table for the disk's own length.
struct Frame {
    std::string first, last; // a MiB each
    std::uint64_t last_at;
};

Frame frame_for(const disk::Medium& image, std::uint64_t disk_bytes) {
    const std::uint64_t least = disk::least_disk(image.layout);
    if (disk_bytes < least)
        throw diagnostic::fail("E0806", "the disk has " + std::to_string(disk_bytes) +
                                            " bytes, the image needs " + std::to_string(least));
    const disk::GptDisk table = disk::gpt_disk(image.layout, disk_bytes);
    Frame out{std::string(mebibyte, '\0'), std::string(mebibyte, '\0'), table.bytes - mebibyte};
    for (const disk::Piece& piece : table.pieces) {
        const bool front = piece.offset < mebibyte;
        (front ? out.first : out.last)
            .replace(piece.offset - (front ? 0 : out.last_at), piece.bytes.size(), piece.bytes);
    }
    return out;
}

void write_text(Disk& disk, Buffer& buffer, std::uint64_t at, std::string_view text) {
    const std::span<std::uint8_t> to = buffer.first(text.size());
    std::copy(text.begin(), text.end(), to.begin());
    disk.write(at, to);
}

bool holds(Disk& disk, Buffer& buffer, std::uint64_t at, std::string_view text) {
    const std::span<std::uint8_t> got = buffer.first(text.size());
    disk.read(at, got);
    return std::equal(got.begin(), got.end(), files::bytes_of(text).begin());
}

[[noreturn]] void differs(std::uint64_t at) {
    throw diagnostic::fail("E0609",
                           "at byte " + std::to_string(at) + " other bytes come back than were written");
}

// Where the partition's bytes on the disk first differ from the image's.
std::optional<std::uint64_t> difference(Disk& disk, const disk::Medium& image, std::uint64_t end,
                                        const char* phase, const diagnostic::Progress& progress) {
    Buffer wanted, got;
    for (std::uint64_t at = 0; at < end; at += chunk) {
        const std::uint64_t count = std::min<std::uint64_t>(chunk, end - at);
        const std::span<std::uint8_t> one = wanted.first(count), other = got.first(count);
        image.partition.read(at, one);
        disk.read(disk::first_partition_at + at, other);
        const auto [left, right] = std::mismatch(one.begin(), one.end(), other.begin());
        if (left != one.end())
            return disk::first_partition_at + at + static_cast<std::uint64_t>(left - one.begin());
        if (progress)
            progress(phase, at + count, end);
    }
    return std::nullopt;
}

} // namespace

std::unique_ptr<Disk> open_disk(const std::filesystem::path& path, Access access) {
    return std::make_unique<RealDisk>(path, access);
}

void write(Disk& disk, const disk::Medium& image, const diagnostic::Progress& progress) {
    const Frame frame = frame_for(image, disk.bytes());
    Buffer buffer;
    // Where any table could be, of an older image or of another length of the disk.
    const std::string nothing(mebibyte, '\0');
    write_text(disk, buffer, 0, nothing);
    write_text(disk, buffer, frame.last_at, nothing);
    // What an earlier image left in a data partition is nobody's now.
    if (image.layout.data_bytes != 0)
        write_text(disk, buffer, image.layout.data_at(), nothing);
    disk.settle();
    // The last MiB of the partition may share its MiB with the table at the end: that is written with it below.
    const std::uint64_t bytes = image.partition.size;
    for (std::uint64_t at = 0; at < bytes; at += chunk) {
        const std::span<std::uint8_t> piece = buffer.first(std::min<std::uint64_t>(chunk, bytes - at));
        image.partition.read(at, piece);
        disk.write(disk::first_partition_at + at, piece);
        if (progress)
            progress("write", at + piece.size(), bytes);
    }
    disk.settle();
    if (const auto wrong = difference(disk, image, bytes, "read back", progress))
        differs(*wrong);
    // The table at the end, then the one in front without its first sector, then that: each on the disk before the next.
    const std::uint64_t table_at = std::max(frame.last_at, image.layout.end());
    const std::string_view back = std::string_view(frame.last).substr(table_at - frame.last_at);
    const std::string_view front(frame.first);
    const auto put = [&](std::uint64_t at, std::string_view text) {
        write_text(disk, buffer, at, text);
        disk.settle();
        if (!holds(disk, buffer, at, text))
            differs(at);
    };
    put(table_at, back);
    put(sector, front.substr(sector));
    put(0, front.substr(0, sector));
}

Comparison compare(Disk& disk, const disk::Medium& image, const diagnostic::Progress& progress) {
    const Frame frame = frame_for(image, disk.bytes());
    Buffer buffer;
    std::span<std::uint8_t> start = buffer.first(sector);
    disk.read(0, start);
    if (files::all_zero(start))
        return {Found::incomplete, 0};
    const std::uint64_t bytes = image.partition.size;
    if (!holds(disk, buffer, 0, frame.first))
        return {Found::different, 0};
    if (const auto wrong = difference(disk, image, bytes, "compare", progress))
        return {Found::different, *wrong};
    const std::uint64_t table_at = std::max(frame.last_at, image.layout.end());
    if (!holds(disk, buffer, table_at, std::string_view(frame.last).substr(table_at - frame.last_at)))
        return {Found::different, table_at};
    return {};
}

} // namespace flash
