// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/syscalls/table.cpp - number to handler and name; generated from numbers.txt.
#include "hypervisor/base/text.hpp"
#include "partitions/unikernel/base/log.hpp"
#include "partitions/unikernel/syscalls/syscalls.hpp"

#include <array>
#include <bitset>

namespace uk {

namespace {

constexpr std::size_t table_size = 456; // above the last of numbers.txt
using Handler = SyscallResult (*)(const Arguments&);

// One string with all names: offsets instead of pointers.
constexpr char names[] = "\0"
#define CAISSON_SYSTEM_CALL(number, name) #name "\0"
#define CAISSON_SYSTEM_CALL_ABSENT(number, name) #name "\0"
#include "syscall_list.inc"
#undef CAISSON_SYSTEM_CALL
#undef CAISSON_SYSTEM_CALL_ABSENT
    ;

struct Table {
    std::array<Handler, table_size> handlers{};          // nullptr: not there
    std::array<std::uint16_t, table_size> name_places{}; // in `names`; 0: no such number
};

constexpr Table make_table() {
    Table table;
    std::uint16_t at = 1;
#define CAISSON_SYSTEM_CALL(number, name)                                                                    \
    table.handlers[number] = &sys_##name;                                                                    \
    table.name_places[number] = at;                                                                          \
    at = static_cast<std::uint16_t>(at + sizeof(#name));
#define CAISSON_SYSTEM_CALL_ABSENT(number, name)                                                             \
    table.name_places[number] = at;                                                                          \
    at = static_cast<std::uint16_t>(at + sizeof(#name));
#include "syscall_list.inc"
#undef CAISSON_SYSTEM_CALL
#undef CAISSON_SYSTEM_CALL_ABSENT
    return table;
}

constexpr Table table = make_table();
std::bitset<table_size> logged;

void log_absent(std::uint64_t number) {
    if (number < table_size && logged[number])
        return;
    base::Text<128> text;
    text << "system call " << number;
    if (number < table_size) {
        logged[number] = true;
        text << ' ' << syscall_name(number);
    }
    text << " is not there: ENOSYS";
    log(text.view());
    base::Text<64> note;
    note << "enosys=" << number << ':' << (number < table_size ? syscall_name(number) : "unknown");
    audit(note.view());
}

} // namespace

std::string_view syscall_name(std::uint64_t number) {
    if (number >= table_size || table.name_places[number] == 0)
        return {};
    return names + table.name_places[number];
}

bool syscall_is_there(std::uint64_t number) {
    return number < table_size && table.handlers[number] != nullptr;
}

SyscallResult dispatch(std::uint64_t number, const Arguments& arguments) {
    if (number >= table_size || table.handlers[number] == nullptr) {
        log_absent(number);
        return base::Failure{Errno::nosys};
    }
    return table.handlers[number](arguments);
}

} // namespace uk
