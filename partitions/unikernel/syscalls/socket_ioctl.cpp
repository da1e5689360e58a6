// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/syscalls/socket_ioctl.cpp - ioctl(2) on sockets: queues, and what interfaces there are
// (netdevice(7)).
#include "partitions/unikernel/net/interfaces.hpp"
#include "partitions/unikernel/syscalls/sockets.hpp"

#include <cstring>

namespace uk::sockets {

namespace {

namespace request {
constexpr std::uint32_t bytes_unsent = 0x5411, at_mark = 0x8905, name_of_index = 0x8910, all = 0x8912,
                        flags = 0x8913, address = 0x8915, peer_address = 0x8917, broadcast = 0x8919,
                        mask = 0x891B, metric = 0x891D, mtu = 0x8921, hardware = 0x8927, index = 0x8933,
                        queue_length = 0x8942, ethernet_tool = 0x8946, map = 0x8970;
}

struct UserInterface { // struct ifreq
    std::array<char, 16> name;
    std::array<std::byte, 24> value;
};
static_assert(sizeof(UserInterface) == 40);

template <typename T> void set_value(UserInterface& to, const T& value) {
    std::memcpy(to.value.data(), &value, sizeof(value));
}

void set_address(UserInterface& to, const net::IpAddress& address) {
    net::Address shown;
    net::encode({address, 0}, net::family::inet, shown);
    std::memcpy(to.value.data(), shown.bytes.data(), shown.size);
}

// Nothing where there is none of that name, or with an index that is not 0, of that.
const net::Shown* find(const UserInterface& asked, std::uint32_t index) {
    const std::string_view name{asked.name.data(), strnlen(asked.name.data(), asked.name.size())};
    const net::Shown* found = nullptr;
    net::each_interface([&](const net::Shown& one) {
        if (index != 0 ? one.index == index : one.name == name)
            found = &one;
    });
    return found;
}

void set_name(UserInterface& to, const net::Shown& of) {
    to.name = {};
    std::copy(of.name.begin(), of.name.end(), to.name.begin());
}

// SIOCGIFCONF: those that have an IPv4 address.
SyscallResult list_interfaces(mm::UserAddress argument) {
    struct {
        std::int32_t bytes, pad;
        std::uint64_t list;
    } asked{};
    CAISSON_TRY(mm::copy_in(&asked, argument, sizeof(asked)));
    constexpr auto one_takes = static_cast<std::int32_t>(sizeof(UserInterface));
    std::int32_t bytes = 0;
    Status written = base::success;
    net::each_interface([&](const net::Shown& of) {
        if (!of.has_v4 || (asked.list != 0 && asked.bytes - bytes < one_takes))
            return;
        if (asked.list != 0 && written.ok()) {
            UserInterface one{};
            set_name(one, of);
            set_address(one, of.v4);
            written = mm::write_user(mm::UserAddress{asked.list + static_cast<std::uint32_t>(bytes)}, one);
        }
        bytes += one_takes;
    });
    CAISSON_TRY(written);
    asked.bytes = bytes;
    CAISSON_TRY(mm::copy_out(argument, &asked, sizeof(asked)));
    return 0ul;
}

Status answer(std::uint32_t what, UserInterface& asked, const net::Shown& of) {
    const std::uint32_t mask = ~std::uint32_t{0} << (32 - of.v4_prefix);
    switch (what) {
    case request::flags:
        set_value(asked, static_cast<std::uint16_t>(of.flags));
        return base::success;
    case request::address:
    case request::peer_address:
        set_address(asked, of.v4);
        return base::success;
    case request::broadcast:
        set_address(asked, of.type == net::type_ethernet ? net::IpAddress::v4(of.v4.v4_value() | ~mask)
                                                         : net::any_v4);
        return base::success;
    case request::mask:
        set_address(asked, net::IpAddress::v4(mask));
        return base::success;
    case request::metric:
        set_value(asked, std::int32_t{0});
        return base::success;
    case request::mtu:
        set_value(asked, of.mtu);
        return base::success;
    case request::hardware:
        asked.value = {};
        set_value(asked, of.type);
        std::memcpy(asked.value.data() + sizeof(of.type), of.hardware.data(), of.hardware.size());
        return base::success;
    case request::index:
        set_value(asked, of.index);
        return base::success;
    case request::queue_length:
        set_value(asked, std::int32_t{1000});
        return base::success;
    case request::map:
        asked.value = {};
        return base::success;
    default:
        return base::Failure{Errno::opnotsupp};
    }
}

SyscallResult ask_interface(std::uint32_t what, mm::UserAddress argument) {
    auto asked = CAISSON_TRY(mm::read_user<UserInterface>(argument));
    if (what == request::name_of_index) {
        std::uint32_t index = 0;
        std::memcpy(&index, asked.value.data(), sizeof(index));
        const net::Shown* const of = index != 0 ? find(asked, index) : nullptr;
        if (of == nullptr)
            return base::Failure{Errno::nodev};
        set_name(asked, *of);
    } else {
        const net::Shown* const of = find(asked, 0);
        if (of == nullptr)
            return base::Failure{Errno::nodev};
        CAISSON_TRY(answer(what, asked, *of));
    }
    CAISSON_TRY(mm::write_user(argument, asked));
    return 0ul;
}

} // namespace

SyscallResult control(fs::File& file, std::uint32_t what, mm::UserAddress argument) {
    switch (what) {
    case request::bytes_unsent:
    case request::at_mark: {
        const std::uint64_t value = CAISSON_TRY(fs::control_file(file, what, 0));
        CAISSON_TRY(
            mm::write_user(argument, static_cast<std::int32_t>(std::min<std::uint64_t>(value, INT32_MAX))));
        return 0ul;
    }
    case request::all:
        return list_interfaces(argument);
    case request::name_of_index:
    case request::flags:
    case request::address:
    case request::peer_address:
    case request::broadcast:
    case request::mask:
    case request::metric:
    case request::mtu:
    case request::hardware:
    case request::index:
    case request::queue_length:
    case request::ethernet_tool:
    case request::map:
        return ask_interface(what, argument);
    default:
        return base::Failure{Errno::notty};
    }
}

} // namespace uk::sockets
