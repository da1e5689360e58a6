// SPDX-License-Identifier: Apache-2.0
#include "image-tools/trial/dialogue.hpp"

#include "image-tools/diagnostic/diagnostic.hpp"
#include "image-tools/trial/answer.hpp"

#include <array>
#include <cerrno>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

namespace trial {
namespace {

sockaddr_in here(std::uint16_t port) {
    sockaddr_in out{};
    out.sin_family = AF_INET;
    out.sin_port = htons(port);
    out.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return out;
}

bool may_go_on(int error) {
    return error == EAGAIN || error == EINPROGRESS || error == EALREADY || error == EINTR ||
           error == ENOTCONN;
}

} // namespace

Dialogue::Dialogue(std::uint16_t port, std::string say)
    : descriptor_(::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)), say_(std::move(say)) {
    const sockaddr_in to = here(port);
    if (descriptor_ >= 0 && ::connect(descriptor_, reinterpret_cast<const sockaddr*>(&to), sizeof to) != 0 &&
        !may_go_on(errno))
        close();
}

Dialogue::~Dialogue() {
    close();
}

void Dialogue::close() {
    if (descriptor_ >= 0)
        ::close(descriptor_);
    descriptor_ = -1;
}

void Dialogue::step() {
    if (descriptor_ >= 0 && !say_.empty()) {
        const ssize_t sent = ::send(descriptor_, say_.data(), say_.size(), MSG_NOSIGNAL);
        if (sent > 0)
            say_.erase(0, static_cast<std::size_t>(sent));
        else if (!may_go_on(errno))
            close();
    }
    std::array<char, 16384> bytes{};
    while (descriptor_ >= 0) {
        const ssize_t got = ::recv(descriptor_, bytes.data(), bytes.size(), 0);
        if (got < 0 && may_go_on(errno))
            return;
        if (got > 0)
            heard_.append(bytes.data(), static_cast<std::size_t>(got));
        if (got <= 0 || heard_.size() > most_answer)
            close();
    }
}

std::uint16_t free_port() {
    const int descriptor = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address = here(0);
    socklen_t length = sizeof address;
    const bool found = descriptor >= 0 &&
                       ::bind(descriptor, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0 &&
                       ::getsockname(descriptor, reinterpret_cast<sockaddr*>(&address), &length) == 0;
    const int error = errno;
    if (descriptor >= 0)
        ::close(descriptor);
    if (!found)
        throw diagnostic::fail_system("E0602", "no port of this computer is free", error);
    return ntohs(address.sin_port);
}

} // namespace trial
