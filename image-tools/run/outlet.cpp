// SPDX-License-Identifier: Apache-2.0
// image-tools/run/outlet.cpp - writing without waiting.
#include "image-tools/run/outlet.hpp"

#include "image-tools/diagnostic/diagnostic.hpp"

#include <algorithm>
#include <cerrno>
#include <climits>
#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>
#include <utility>

namespace run {

Outlet::Outlet(int descriptor, std::string name) : descriptor_(descriptor), name_(std::move(name)) {
    // O_NONBLOCK belongs to the open file, which a terminal shares with the shell: a description of its own is set so.
    struct stat status {};
    if (::fstat(descriptor, &status) != 0 || !(S_ISFIFO(status.st_mode) || S_ISCHR(status.st_mode)))
        return;
    const std::string path = "/proc/self/fd/" + std::to_string(descriptor);
    const int again = ::open(path.c_str(), O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    if (again >= 0) {
        descriptor_ = again;
        own_ = true;
    }
}

Outlet::~Outlet() {
    if (own_)
        ::close(descriptor_);
}

void Outlet::write(std::string_view text) {
    if (done_ == queue_.size() || done_ > most_queued) {
        queue_.erase(0, done_);
        done_ = 0;
    }
    queue_ += text;
}

void Outlet::push() {
    while (pending()) {
        // What could block is written in pieces for which poll() promises room.
        pollfd ready{descriptor_, POLLOUT, 0};
        if (::poll(&ready, 1, 0) <= 0)
            return;
        const std::size_t left = queue_.size() - done_;
        const ssize_t put =
            ::write(descriptor_, queue_.data() + done_, own_ ? left : std::min<std::size_t>(left, PIPE_BUF));
        if (put >= 0) {
            done_ += static_cast<std::size_t>(put);
            continue;
        }
        if (errno == EINTR)
            continue;
        if (errno == EAGAIN)
            return;
        const int error = errno;
        queue_.clear();
        done_ = 0;
        if (error == EPIPE)
            throw diagnostic::BrokenPipe{};
        throw diagnostic::fail_system("E0602", "cannot write to " + name_, error);
    }
}

void Outlet::finish() {
    for (push(); pending(); push()) {
        pollfd wait{descriptor_, POLLOUT, 0};
        ::poll(&wait, 1, -1);
    }
}

} // namespace run
