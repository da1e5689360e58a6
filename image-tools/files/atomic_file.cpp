// SPDX-License-Identifier: Apache-2.0
// image-tools/files/atomic_file.cpp - whole files.
#include "image-tools/files/atomic_file.hpp"

#include "image-tools/diagnostic/diagnostic.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <utility>

namespace files {
namespace {

[[noreturn]] void cannot(diagnostic::Code code, const char* what, const std::filesystem::path& file,
                         int error, std::string help = {}) {
    throw diagnostic::fail_system(code, std::string("cannot ") + what + " " + file.string(), error)
        .help(std::move(help));
}

// All of `bytes` at `offset`; false with errno set.
bool write_all(int descriptor, std::uint64_t offset, std::span<const std::uint8_t> bytes) {
    while (!bytes.empty()) {
        const ssize_t done = ::pwrite(descriptor, bytes.data(), bytes.size(), static_cast<off_t>(offset));
        if (done < 0 && errno == EINTR)
            continue;
        if (done < 0)
            return false;
        offset += static_cast<std::uint64_t>(done);
        bytes = bytes.subspan(static_cast<std::size_t>(done));
    }
    return true;
}

} // namespace

std::string read_file(const std::filesystem::path& file, std::uint64_t limit) {
    const int descriptor = ::open(file.c_str(), O_RDONLY | O_CLOEXEC);
    if (descriptor < 0)
        cannot("E0601", "read", file, errno);
    std::string out;
    std::array<char, 65536> buffer{};
    for (;;) {
        const ssize_t got = ::read(descriptor, buffer.data(), buffer.size());
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0) {
            const int error = errno;
            ::close(descriptor);
            if (got < 0)
                cannot("E0601", "read", file, error);
            return out;
        }
        out.append(buffer.data(), static_cast<std::size_t>(got));
        if (out.size() > limit) {
            ::close(descriptor);
            throw diagnostic::fail("E0801",
                                   file.string() + " is larger than " + std::to_string(limit) + " bytes");
        }
    }
}

bool write_new_file(const std::filesystem::path& file, std::string_view text, unsigned mode) {
    // Complete before it has its name: another process may look for it at any time.
    std::string temporary = file.string() + ".part-XXXXXX";
    const int descriptor = ::mkostemp(temporary.data(), O_CLOEXEC);
    if (descriptor < 0)
        cannot("E0602", "create", file, errno);
    // The mode does not depend on the umask.
    int error = write_all(descriptor, 0, bytes_of(text)) && ::fchmod(descriptor, mode) == 0 ? 0 : errno;
    if (::close(descriptor) != 0 && error == 0)
        error = errno;
    // A link replaces nothing; FAT has none, but a rename that replaces nothing.
    if (error == 0 && ::link(temporary.c_str(), file.c_str()) != 0)
        error = errno;
    if (error == EPERM || error == EOPNOTSUPP)
        error = ::renameat2(AT_FDCWD, temporary.c_str(), AT_FDCWD, file.c_str(), RENAME_NOREPLACE) == 0
                    ? 0
                    : errno;
    ::unlink(temporary.c_str());
    if (error != 0 && error != EEXIST)
        cannot("E0602", "write", file, error);
    return error == 0;
}

AtomicFile::AtomicFile(std::filesystem::path file)
    : file_(std::move(file)), temporary_(file_.string() + ".part-" + std::to_string(::getpid())) {
    descriptor_ = ::open(temporary_.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (descriptor_ < 0)
        cannot("E0602", "create", file_, errno, "choose another place with -o");
    scratch_.emplace(temporary_);
    handle_ = std::make_shared<const FileHandle>(::fcntl(descriptor_, F_DUPFD_CLOEXEC, 0));
}

AtomicFile::~AtomicFile() {
    if (descriptor_ >= 0)
        ::close(descriptor_);
}

void AtomicFile::failed(const char* what) const {
    cannot("E0602", what, file_, errno);
}

void AtomicFile::write(std::span<const std::uint8_t> bytes) {
    if (!write_all(descriptor_, size_, bytes))
        failed("write");
    size_ += bytes.size();
}

void AtomicFile::write_at(std::uint64_t offset, std::span<const std::uint8_t> bytes) {
    if (!write_all(descriptor_, offset, bytes))
        failed("write");
    size_ = std::max(size_, offset + bytes.size());
}

void AtomicFile::zeros(std::uint64_t count) {
    if (::ftruncate(descriptor_, static_cast<off_t>(size_ + count)) != 0)
        failed("extend");
    size_ += count;
}

void AtomicFile::commit(unsigned mode) {
    const mode_t mask = ::umask(0);
    ::umask(mask);
    if (::fchmod(descriptor_, mode & ~mask) != 0)
        failed("set the mode of");
    if (::close(std::exchange(descriptor_, -1)) != 0 || ::rename(temporary_.c_str(), file_.c_str()) != 0)
        failed("write");
    scratch_->keep();
}

std::string hex(std::span<const std::uint8_t> bytes) {
    std::string out;
    for (std::uint8_t byte : bytes) {
        out += "0123456789abcdef"[byte >> 4];
        out += "0123456789abcdef"[byte & 15];
    }
    return out;
}

} // namespace files
