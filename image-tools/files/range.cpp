// SPDX-License-Identifier: Apache-2.0
#include "image-tools/files/range.hpp"

#include "image-tools/diagnostic/diagnostic.hpp"

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <vector>

namespace files {

FileHandle::~FileHandle() {
    ::close(descriptor_);
}

std::optional<FileRange> FileRange::open(const std::filesystem::path& path) {
    // O_NONBLOCK: a FIFO in the place of a blob must not hang the tool.
    const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (descriptor < 0) {
        if (errno == ENOENT || errno == ENOTDIR) {
            return std::nullopt;
        }
        throw diagnostic::fail_system("E0601", "cannot open " + path.string(), errno);
    }
    FileRange range{std::make_shared<const FileHandle>(descriptor), path.string(), 0, 0};
    struct stat status {};
    if (::fstat(descriptor, &status) != 0) {
        throw diagnostic::fail_system("E0601", "cannot read " + path.string(), errno);
    }
    if (!S_ISREG(status.st_mode)) {
        throw diagnostic::fail("E0601", path.string() + " is not a regular file");
    }
    range.size = static_cast<std::uint64_t>(status.st_size);
    return range;
}

std::shared_ptr<const FileHandle> FileRange::temporary() {
    const char* directory = std::getenv("TMPDIR");
    std::string name =
        std::string(directory != nullptr && *directory != 0 ? directory : "/tmp") + "/caisson-XXXXXX";
    const int descriptor = ::mkostemp(name.data(), O_CLOEXEC);
    if (descriptor < 0) {
        throw diagnostic::fail_system("E0602", "cannot make a temporary file " + name, errno)
            .help("set TMPDIR to a directory with room");
    }
    ::unlink(name.c_str());
    return std::make_shared<const FileHandle>(descriptor);
}

std::size_t FileRange::read(std::uint64_t at, std::span<std::uint8_t> to) const {
    if (at >= size) {
        return 0;
    }
    const auto wanted = static_cast<std::size_t>(std::min<std::uint64_t>(to.size(), size - at));
    std::size_t done = 0;
    while (done < wanted) {
        const ssize_t got =
            ::pread(file->get(), to.data() + done, wanted - done, static_cast<off_t>(offset + at + done));
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got < 0) {
            throw diagnostic::fail_system("E0601", "cannot read " + name, errno);
        }
        if (got == 0) {
            throw diagnostic::fail("E0601", name + " became shorter while it was read");
        }
        done += static_cast<std::size_t>(got);
    }
    return done;
}

Digest FileRange::digest() const {
    std::vector<std::uint8_t> buffer(std::size_t{128} << 10);
    Sha256 hash;
    for (std::uint64_t at = 0; at < size;) {
        const std::size_t got = read(at, buffer);
        hash.update(std::span(buffer).first(got));
        at += got;
    }
    return hash.finish();
}

Digest digest_of(const std::filesystem::path& file) {
    const auto range = FileRange::open(file);
    if (!range) {
        throw diagnostic::fail("E0601", "cannot read " + file.string());
    }
    return range->digest();
}

void write_all(int descriptor, std::span<const std::uint8_t> data, const std::string& name) {
    while (!data.empty()) {
        const ssize_t put = ::write(descriptor, data.data(), data.size());
        if (put < 0 && errno == EINTR) {
            continue;
        }
        if (put < 0) {
            throw diagnostic::fail_system("E0602", "cannot write " + name, errno);
        }
        data = data.subspan(static_cast<std::size_t>(put));
    }
}

} // namespace files
