// SPDX-License-Identifier: Apache-2.0
// qemu-tests/guests/talker.cpp - partitions that use the serial line in every way that could hurt a neighbour, and the
// neighbour: it says how much longer than alone its own short writes took, and how much later its timer came. The command line names the role.
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

void nothing() {}
void end() {
    spin(1);
    guest::exit(4);
}

// What the victim's periodic timer saw: TSC of its last interrupt, the longest time from one to the next.
volatile std::uint64_t last_tick = 0, longest_period = 0;

struct Worst {
    std::uint64_t write = 0, period = 0;
};
// Writes now and then, beside a timer of a thousand a second.
Worst write_and_tick() {
    constexpr unsigned calls = 20;
    Worst worst;
    last_tick = 0;
    longest_period = 0;
    for (unsigned i = 0; i < calls; ++i) {
        cpu::interrupts_on();
        spin(35);
        cpu::interrupts_off();
        const std::uint64_t start = cpu::rdtsc();
        guest::call(CAISSON_CALL_CONSOLE_PUT, 0x0A6D6974636976, 7); // "victim\n"
        const std::uint64_t took = cpu::rdtsc() - start;
        worst.write = took > worst.write ? took : worst.write;
    }
    worst.period = longest_period;
    return worst;
}

// While the others are at work, and once more when their time is over.
void victim(std::uint64_t limit) {
    guest::interrupt_hook = [](unsigned) {
        const std::uint64_t now = cpu::rdtsc(), period = last_tick != 0 ? now - last_tick : 0;
        longest_period = period > longest_period ? period : longest_period;
        last_tick = now;
    };
    constexpr unsigned vector = 0x40;
    guest::start_timer(vector, static_cast<std::uint32_t>(guest::boot_page().apic_timer_hz / 1000));
    const Worst beside = write_and_tick();
    while (on())
        cpu::pause();
    spin(4);
    const Worst alone = write_and_tick();
    base::Text<256> text;
    text << "victim: its writes were " << (beside.write <= alone.write + limit ? "short" : "LONG") << ", "
         << beside.write << " ticks, alone " << alone.write << "\nvictim: its timer was "
         << (beside.period <= alone.period + limit ? "punctual" : "LATE") << ", " << beside.period
         << " ticks at most between two, alone " << alone.period << '\n';
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
    if (role == "first-ends") { // the other CPU computes on
        guest::start_cpu(1, second<nothing>);
        spin(1);
        guest::exit(3);
    }
    if (role == "second-ends") { // this one computes on
        guest::start_cpu(1, second<end>);
        second<nothing>();
    }
    if (role == "wait") {
        spin(1);
        guest::print("wait: it is over\n");
    }
    if (role == "victim")
        victim(number(last));
    guest::exit(0);
}
