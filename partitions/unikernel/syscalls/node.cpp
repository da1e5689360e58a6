// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/syscalls/node.cpp - get_mempolicy and set_mempolicy on a machine of one node.
//
// A policy changes nothing here, but is kept, inherited and told: libnuma asks what a kernel has when a program starts that is
// linked with it.
#include "partitions/unikernel/mm/address_space.hpp"
#include "partitions/unikernel/syscalls/syscalls.hpp"
#include "partitions/unikernel/task/process.hpp"

#include <algorithm>

namespace uk {

namespace {

namespace mode {
constexpr unsigned standard = 0, preferred = 1, bind = 2, interleave = 3, local = 4, preferred_many = 5;
constexpr unsigned fixed_nodes = 1 << 15, relative_nodes = 1 << 14, balancing = 1 << 13;
constexpr unsigned flags = fixed_nodes | relative_nodes | balancing;
} // namespace mode

constexpr std::uint64_t word_bits = 64, words_most = base::page_size / sizeof(std::uint64_t);
constexpr std::uint64_t words_of_nodes = 16; // as many nodes as Debian's kernel knows of

enum class Nodes { none, first, others };

Result<Nodes> read_nodes(mm::UserAddress from, std::uint64_t bits) {
    bool first = false, any = false;
    for (std::uint64_t i = 0; i * word_bits < bits; ++i) {
        auto word = CAISSON_TRY(
            mm::read_user<std::uint64_t>(mm::UserAddress{from.value() + i * sizeof(std::uint64_t)}));
        if (const std::uint64_t left = bits - i * word_bits; left < word_bits)
            word &= (std::uint64_t{1} << left) - 1;
        if (word != 0 && i >= words_of_nodes)
            return base::Failure{Errno::inval};
        first = first || (i == 0 && (word & 1) != 0);
        any = any || word != 0;
    }
    return first ? Nodes::first : any ? Nodes::others : Nodes::none;
}

} // namespace

SyscallResult sys_set_mempolicy(const Arguments& arguments) {
    const std::uint32_t asked = arguments.word(0);
    unsigned kind = asked & ~mode::flags;
    const unsigned flags = asked & mode::flags;
    if (kind > mode::preferred_many ||
        (flags & ~mode::balancing) == (mode::fixed_nodes | mode::relative_nodes) ||
        ((flags & mode::balancing) != 0 && kind != mode::bind))
        return base::Failure{Errno::inval};
    Nodes nodes = Nodes::none;
    if (const std::uint64_t bits = arguments[2] - 1; arguments[1] != 0 && bits != 0) {
        if (bits > words_most * word_bits)
            return base::Failure{Errno::inval};
        nodes = CAISSON_TRY(read_nodes(arguments.pointer(1), bits));
    }
    if (kind == mode::preferred && nodes == Nodes::none && (flags & ~mode::balancing) == 0)
        kind = mode::local;
    const Nodes wanted = kind == mode::standard || kind == mode::local ? Nodes::none : Nodes::first;
    if (nodes != wanted || (kind == mode::local && flags != 0))
        return base::Failure{Errno::inval};
    current().memory_policy = static_cast<std::uint16_t>(kind == mode::standard ? 0 : kind | flags);
    return 0;
}

SyscallResult sys_get_mempolicy(const Arguments& arguments) {
    constexpr std::uint64_t node = 1, address = 2, allowed = 4;
    const std::uint64_t mask = arguments[1], bits = arguments[2], where = arguments[3], flags = arguments[4];
    const unsigned policy =
        flags == 0 || flags == node ? current().memory_policy : 0u; // a range has none of its own
    const unsigned kind = policy & ~mode::flags;
    const bool known = flags == 0 || flags == address || flags == (node | address) || flags == allowed ||
                       (flags == node && kind == mode::interleave);
    if (!known || (mask != 0 && bits == 0) || ((flags & ~node) == 0 && where != 0))
        return base::Failure{Errno::inval};
    if ((flags & address) != 0 && current_process().space->ranges().find(where) == nullptr)
        return base::Failure{Errno::fault};
    if (flags == (node | address)) // a page is on a node when it is there
        static_cast<void>(CAISSON_TRY(mm::read_user<std::uint8_t>(arguments.pointer(3))));
    if (arguments[0] != 0)
        CAISSON_TRY(mm::write_user(arguments.pointer(0), flags == 0 ? policy : 0u));
    if (mask == 0 || bits == 1)
        return 0;
    const std::uint64_t words = (bits - 2) / word_bits + 1;
    if (words > words_most)
        return base::Failure{Errno::inval};
    const bool first = flags == allowed || (kind != mode::standard && kind != mode::local);
    CAISSON_TRY(mm::clear_out(arguments.pointer(1), words * sizeof(std::uint64_t)));
    CAISSON_TRY(mm::write_user(arguments.pointer(1), std::uint64_t{first}));
    return 0;
}

} // namespace uk
