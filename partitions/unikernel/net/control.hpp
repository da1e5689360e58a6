// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/net/control.hpp - ancillary data of sendmsg(2) and recvmsg(2): cmsg(3).
#pragma once

#include "partitions/unikernel/base/errno.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

namespace uk::net::control_data {

struct Header { // struct cmsghdr
    std::uint64_t bytes;
    std::int32_t level, type;
};
static_assert(sizeof(Header) == 16);

constexpr std::size_t aligned(std::size_t bytes) {
    return (bytes + 7) & ~std::size_t{7};
}

struct Item {
    std::int32_t level = 0, type = 0;
    std::span<const std::byte> data;
};

// The items of what a program gave, one after the other.
class Reader {
public:
    explicit Reader(std::span<const std::byte> all) : rest_(all) {}
    // False: there is none any more. inval: a length that cannot be.
    [[nodiscard]] Result<bool> next(Item& item) {
        if (rest_.size() < sizeof(Header))
            return false;
        Header header{};
        std::memcpy(&header, rest_.data(), sizeof(header));
        if (header.bytes < sizeof(Header) || header.bytes > rest_.size())
            return base::Failure{Errno::inval};
        item = {header.level, header.type, rest_.subspan(sizeof(Header), header.bytes - sizeof(Header))};
        rest_ = rest_.subspan(std::min(aligned(header.bytes), rest_.size()));
        return true;
    }

private:
    std::span<const std::byte> rest_;
};

// Items into the room that a program offers.
class Writer {
public:
    explicit Writer(std::span<std::byte> room) : room_(room) {}
    // As much of it as fits, as Linux does; false: not all of it (MSG_CTRUNC).
    bool put(std::int32_t level, std::int32_t type, std::span<const std::byte> data) {
        const std::size_t left = room_.size() - used_;
        if (left < sizeof(Header))
            return false;
        const std::size_t part = std::min(data.size(), left - sizeof(Header));
        const Header header{sizeof(Header) + part, level, type};
        std::memcpy(room_.data() + used_, &header, sizeof(header));
        std::memcpy(room_.data() + used_ + sizeof(header), data.data(), part);
        const std::size_t end = used_ + sizeof(Header) + part;
        const std::size_t next = std::min(aligned(end), room_.size());
        std::memset(room_.data() + end, 0, next - end);
        used_ = next;
        return part == data.size();
    }
    // How many data bytes would fit.
    [[nodiscard]] std::size_t data_room() const {
        const std::size_t left = room_.size() - used_;
        return left < sizeof(Header) ? 0 : left - sizeof(Header);
    }
    [[nodiscard]] std::size_t used() const { return used_; }

private:
    std::span<std::byte> room_;
    std::size_t used_ = 0;
};

} // namespace uk::net::control_data
