// SPDX-License-Identifier: Apache-2.0
// image-tools/run/serial_line.cpp - the emulator's serial line as a file without a name.
#include "image-tools/run/serial_line.hpp"

#include "image-tools/diagnostic/diagnostic.hpp"

#include <array>
#include <cerrno>
#include <cstdlib>
#include <fcntl.h>
#include <string>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

namespace run {
namespace {

constexpr std::uint64_t most_waiting = std::uint64_t{1} << 30;
constexpr std::uint64_t least_room = std::uint64_t{4} << 20;
constexpr std::uint64_t release_step = std::uint64_t{1} << 20;

} // namespace

SerialLine::SerialLine() {
    const char* const chosen = std::getenv("TMPDIR");
    std::string name =
        std::string(chosen != nullptr && chosen[0] != '\0' ? chosen : "/tmp") + "/caisson-XXXXXX";
    file_ = ::mkostemp(name.data(), O_CLOEXEC | O_APPEND);
    if (file_ < 0)
        throw diagnostic::fail_system("E0602", "cannot make a temporary file " + name, errno)
            .help("set TMPDIR to a directory with room");
    notify_ = ::inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    if (notify_ >= 0 && ::inotify_add_watch(notify_, name.c_str(), IN_MODIFY) < 0) {
        ::close(notify_);
        notify_ = -1;
    }
    ::unlink(name.c_str());
}

SerialLine::~SerialLine() {
    ::close(file_);
    if (notify_ >= 0)
        ::close(notify_);
}

void SerialLine::woken() const {
    std::array<char, 4096> events;
    while (notify_ >= 0 && ::read(notify_, events.data(), events.size()) > 0) {
    }
}

std::size_t SerialLine::read(std::span<std::uint8_t> to) {
    ssize_t got = 0;
    do
        got = ::pread(file_, to.data(), to.size(), static_cast<off_t>(read_));
    while (got < 0 && errno == EINTR);
    if (got < 0)
        throw diagnostic::fail_system("E0601", "cannot read the serial line's file", errno);
    read_ += static_cast<std::uint64_t>(got);
    // Where the file system cannot give room back, the file only grows.
    if (read_ - released_ >= release_step) {
        const std::uint64_t end = read_ / release_step * release_step;
        static_cast<void>(::fallocate(file_, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
                                      static_cast<off_t>(released_), static_cast<off_t>(end - released_)));
        released_ = end;
    }
    return static_cast<std::size_t>(got);
}

std::uint64_t SerialLine::waiting() const {
    struct stat status {};
    if (::fstat(file_, &status) != 0)
        return 0;
    const auto size = static_cast<std::uint64_t>(status.st_size);
    return size > read_ ? size - read_ : 0;
}

bool SerialLine::crowded() const {
    const std::uint64_t bytes = waiting();
    if (bytes > most_waiting)
        return true;
    struct statvfs room {};
    return bytes > release_step && ::fstatvfs(file_, &room) == 0 &&
           room.f_bavail * room.f_frsize < least_room;
}

} // namespace run
