// SPDX-License-Identifier: Apache-2.0
// qemu-tests/guests/talker.cpp - partitions that use the serial line in every way that could hurt a neighbour, and the
// neighbour: it says how long its own short writes took at most. The command line names the role.
#include "partitions/adversary/runtime/guest.hpp"

#include <bit>

namespace {

alignas(4096) char page[4096];

// When the partition's time is over (TSC). In ticks, for Bochs's CPUID does not tell how fast its TSC runs.
std::uint64_t until = 0, whole = 0;
// That part of the partition's time.
void spin(std::uint64_t part) {
    for (const std::uint64_t end = cpu::rdtsc() + whole / part; cpu::rdtsc() < end;)
        cpu::pause();
}
void fill(char what) {
    for (char& c : page)
        c = what;
    for (unsigned i = 127; i < sizeof page; i += 128)
        page[i] = '\n';
}
bool on() {
    return cpu::rdtsc() < until;
}
std::uint64_t address() {
    return std::bit_cast<std::uint64_t>(&page[0]);
}

// Whole pages on both streams.
void flood() {
    for (std::uint64_t stream = 1; on(); stream = 3 - stream)
        guest::call(CAISSON_CALL_CONSOLE_WRITE_STREAM, address(), sizeof page, stream);
}
// The ring is filled; then the line is left to whoever comes next.
void bait() {
    while (on()) {
        guest::call(CAISSON_CALL_CONSOLE_WRITE, address(), sizeof page);
        spin(230);
    }
}
// Single bytes, each a line.
void drip() {
    while (on())
        guest::call(CAISSON_CALL_CONSOLE_PUT, '\n', 1);
}
// As many notes as are taken, as long as they can be.
void note() {
    for (; on(); spin(140))
        guest::call(CAISSON_CALL_AUDIT, address(), 256);
}

// A second CPU does its part and stays.
template <void (*Part)()> [[noreturn]] void second() {
    Part();
    for (;;)
        cpu::pause();
}

void victim(std::uint64_t limit) {
    constexpr unsigned calls = 20;
    std::uint64_t worst = 0;
    for (unsigned i = 0; i < calls; ++i) {
        spin(35);
        const std::uint64_t start = cpu::rdtsc();
        guest::call(CAISSON_CALL_CONSOLE_PUT, 0x0A6D6974636976, 7); // "victim\n"
        const std::uint64_t took = cpu::rdtsc() - start;
        worst = took > worst ? took : worst;
    }
    base::Text<96> text;
    text << "victim: its writes were " << (worst <= limit ? "short" : "LONG") << ", " << worst << " ticks\n";
    guest::print(text);
}

} // namespace

void guest_main() {
    // ROLE TICKS, or victim TICKS LIMIT
    const std::string_view line = guest::command_line();
    const std::size_t first = line.find(' '), last = line.rfind(' ');
    const std::string_view role{line.data(), first < line.size() ? first : line.size()};
    const auto number = [&line](std::size_t after) {
        std::uint64_t value = 0;
        for (std::size_t i = after + 1; i < line.size() && line[i] != ' '; ++i)
            value = value * 10 + static_cast<std::uint64_t>(line[i] - '0');
        return value;
    };
    fill(role.empty() ? '?' : role[0]);
    whole = number(first);
    until = cpu::rdtsc() + whole;
    if (role == "flood")
        flood();
    if (role == "flood-pair") {
        guest::start_cpu(1, second<flood>);
        flood();
    }
    if (role == "bait-pair") {
        guest::start_cpu(1, second<bait>);
        bait();
    }
    if (role == "drip")
        drip();
    if (role == "note")
        note();
    if (role == "end-while-printing") { // the other CPU prints until the end
        guest::start_cpu(1, second<flood>);
        spin(2);
        guest::exit(3);
    }
    if (role == "victim")
        victim(number(last));
    guest::exit(0);
}
