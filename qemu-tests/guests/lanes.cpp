// SPDX-License-Identifier: Apache-2.0
// qemu-tests/guests/lanes.cpp - ends of wires: messages that come back as they were sent, a diode, restarts of either end.
//
// `client N`  sends N numbered messages over its first link, one after the other, and waits for each to come back; what
//             does not come is sent again. At last it asks the other end to stop.
// `server`    sends back what comes, until it is asked to stop.   `source N`, `sink N`: N messages over a one-way link.
// `cost`      what a ring and other calls cost, by the time-stamp counter (for -icount).
// `dies=N`    behind the words: the first life ends with status 1 after N messages.
#include "partitions/abi/boot_page.h"
#include "partitions/abi/lane.h"
#include "partitions/adversary/runtime/guest.hpp"

#include <algorithm>
#include <array>
#include <span>

namespace {

constexpr unsigned lane_vector = 0x60, timer_vector = 0x40;
constexpr std::string_view stop_word = "stop";
volatile std::uint64_t ticks = 0, rings = 0;
std::uint64_t sent_rings = 0, resent = 0, sleeps = 0;
caisson_end end{};
alignas(16) std::array<unsigned char, CAISSON_LANE_PACKET_MAX> packet, expected;

std::uint64_t number_behind(std::string_view words, std::string_view key) {
    const std::size_t at = words.find(key);
    std::uint64_t value = 0;
    for (std::size_t i = at + key.size(); at != std::string_view::npos && i < words.size(); ++i) {
        if (words[i] < '0' || words[i] > '9')
            break;
        value = value * 10 + static_cast<std::uint64_t>(words[i] - '0');
    }
    return value;
}

void open_link() {
    const caisson_link& link = guest::boot_page().links[0];
    end.send = reinterpret_cast<caisson_lane*>(link.send_gpa);
    end.receive = reinterpret_cast<const caisson_lane*>(link.receive_gpa);
    end.ring_bytes = link.lane_bytes - CAISSON_LANE_HEADER_BYTES;
    end.life = guest::boot_page().generation;
    end.peer_state = [](void*) {
        return static_cast<unsigned long long>(guest::call(CAISSON_CALL_LANE_STATE, 0).value);
    };
    end.ring = [](void*) {
        ++sent_rings;
        (void)guest::call(CAISSON_CALL_LANE_RING, 0);
    };
    caisson_end_open(&end);
    guest::interrupt_hook = [](unsigned vector) {
        if (vector == timer_vector)
            ticks = ticks + 1;
        else if (vector == lane_vector)
            rings = rings + 1;
    };
    const std::uint64_t hz = guest::boot_page().apic_timer_hz;
    guest::start_timer(timer_vector, static_cast<std::uint32_t>(hz != 0 ? hz / 100 : 1'000'000));
    (void)guest::call(CAISSON_CALL_LANE_LISTEN, 0, lane_vector, 0);
}

// Until something may be there, or a hundredth of a second has passed. Interrupts are off but in the halt itself.
void sleep() {
    if (caisson_end_arm(&end, 0) == 0) {
        ++sleeps;
        // SAFETY: STI takes effect behind HLT, so that no interrupt is lost between the look and the sleep.
        asm volatile("sti\n\thlt\n\tcli" : : : "memory");
    }
    caisson_end_disarm(&end);
}

std::span<const unsigned char> message(std::uint64_t number) {
    const std::uint64_t size = 8 + number * 37 % (CAISSON_LANE_PACKET_MAX - 7);
    std::uint64_t state = number * 0x9E3779B97F4A7C15 + 1;
    for (std::uint64_t i = 0; i < size; ++i) {
        expected[i] =
            i < 8 ? static_cast<unsigned char>(number >> (8 * i)) : static_cast<unsigned char>(state >> 56);
        state = state * 6364136223846793005 + 1442695040888963407;
    }
    return std::span{expected}.first(size);
}

std::uint64_t number_of(const unsigned char* from) {
    std::uint64_t value = 0;
    for (unsigned i = 0; i < 8; ++i)
        value |= std::uint64_t{from[i]} << (8 * i);
    return value;
}

void report(std::string_view what, std::uint64_t count) {
    base::Text<200> text;
    text << "lanes: " << what << ' ' << count << " life=" << guest::boot_page().generation
         << " lies=" << end.lies << " lost=" << end.lost << '\n';
    guest::print(text);
}

[[noreturn]] void fail(std::string_view why, std::uint64_t number) {
    report(why, number);
    guest::exit(2);
}

void may_die(std::uint64_t done) {
    const std::uint64_t after = number_behind(guest::command_line(), "dies=");
    if (guest::boot_page().generation == 1 && after != 0 && done >= after) {
        report("dies after", done);
        guest::exit(1);
    }
}

void send(std::span<const unsigned char> bytes) {
    while (caisson_end_send(&end, bytes.data(), static_cast<unsigned>(bytes.size()), 0) == 0)
        sleep();
    caisson_end_flush(&end);
}

void client(std::uint64_t count) {
    for (std::uint64_t number = 0; number < count; ++number) {
        const auto bytes = message(number);
        send(bytes);
        std::uint64_t sent_at = ticks;
        for (;;) {
            unsigned flags = 0;
            const unsigned size = caisson_end_receive(&end, packet.data(), &flags);
            caisson_end_flush(&end);
            if (size == bytes.size() && std::equal(bytes.begin(), bytes.end(), packet.begin()))
                break;
            if (size != 0 && number_of(packet.data()) >= number)
                fail("wrong answer to", number);
            if (size == 0)
                sleep();
            if (ticks - sent_at > 3) { // the other end has begun a new life, or we have
                sent_at = ticks;
                ++resent;
                send(bytes);
            }
        }
        may_die(number + 1);
    }
    std::copy(stop_word.begin(), stop_word.end(), packet.begin());
    send(std::span{packet}.first(stop_word.size()));
    report("came back", count);
    base::Text<128> text;
    text << "lanes: sleeps=" << sleeps << " rung=" << rings << " rang=" << sent_rings << " again=" << resent
         << '\n';
    guest::print(text);
}

void server() {
    for (std::uint64_t count = 0;;) {
        unsigned flags = 0;
        const unsigned size = caisson_end_receive(&end, packet.data(), &flags);
        if (size == stop_word.size())
            break;
        if (size == 0) {
            caisson_end_flush(&end);
            sleep();
            continue;
        }
        send(std::span{packet}.first(size));
        may_die(++count);
    }
    report("was asked to stop", 0);
}

// Nothing comes back: it sends at its own pace, so that a reader that lives may lose nothing.
void source(std::uint64_t count) {
    if (guest::call(CAISSON_CALL_LANE_STATE, 0).value != 0)
        fail("learns of its reader", 0);
    for (std::uint64_t number = 1; number <= count; ++number) {
        send(message(number));
        // What was sent is lost when its sender ends, and nobody says when it has been read: the last one gets more time.
        const std::uint64_t until = ticks + (number == count ? 20 : 1);
        while (ticks < until)
            asm volatile("sti\n\thlt\n\tcli" : : : "memory"); // SAFETY: as in sleep()
        if (number % 10 == 0)
            report("has sent", number);
        may_die(number);
    }
    if (rings != 0)
        fail("was rung by its reader", rings);
    report("sent", count);
}

void sink(std::uint64_t count) {
    std::uint64_t last = 0, got = 0;
    while (last < count) {
        unsigned flags = 0;
        const unsigned size = caisson_end_receive(&end, packet.data(), &flags);
        if (size == 0) {
            sleep();
            continue;
        }
        last = number_of(packet.data());
        const auto bytes = message(last);
        if (size != bytes.size() || !std::equal(bytes.begin(), bytes.end(), packet.begin()))
            fail("damaged", last);
        ++got;
        if (guest::call(CAISSON_CALL_LANE_RING, 0).value != 0)
            fail("ring was refused", got);
        may_die(got);
    }
    report(got == count ? "got all of" : "got the last of", count);
}

// From the instruction to the one behind it, by the clock: the cheapest of many, since the others were interrupted.
template <bool amd> std::uint64_t round_trip(std::uint64_t number, std::uint64_t link) {
    std::uint64_t low = 0, rax = number;
    // SAFETY: the call changes RAX alone; RDTSC also RDX.
    asm volatile(
        "rdtsc\n\tmovl %%eax, %k0\n\tmovq %1, %%rax\n\t.if %c3\n\tvmmcall\n\t.else\n\tvmcall\n\t.endif\n\t"
        "rdtsc\n\tsubl %k0, %%eax"
        : "=&r"(low), "+&r"(rax), "=&a"(number)
        : "i"(amd ? 1 : 0), "D"(link)
        : "rdx", "memory", "cc");
    return number & 0xFFFFFFFF;
}
std::uint64_t cost_of(std::uint64_t number, std::uint64_t link) {
    const bool amd = (guest::boot_page().flags & CAISSON_BOOT_VMMCALL) != 0;
    std::uint64_t least = ~std::uint64_t{0};
    for (unsigned i = 0; i < 200; ++i)
        least = std::min(least, amd ? round_trip<true>(number, link) : round_trip<false>(number, link));
    return least;
}

void cost() {
    if (guest::call(CAISSON_CALL_LANE_LISTEN, 0, lane_vector, 1).value != -CAISSON_ERROR_ARGUMENT)
        fail("may listen on a CPU that was not started", 1);
    // Let the others end first: the clock of an emulator that counts instructions is everybody's.
    guest::interrupt_hook = [](unsigned) { ticks = ticks + 1; };
    guest::start_timer(timer_vector, 50'000'000);
    for (unsigned i = 0; i < 4; ++i)
        asm volatile("sti\n\thlt\n\tcli" : : : "memory"); // SAFETY: as in sleep()
    const std::uint64_t both_ways = cost_of(CAISSON_CALL_LANE_RING, 0),
                        one_way = cost_of(CAISSON_CALL_LANE_RING, 1);
    base::Text<200> text;
    text << "@@ EX lane_ring n=200 med=" << both_ways << '\n'
         << "@@ EX lane_ring_one_way n=200 med=" << one_way << '\n'
         << "lanes: a ring costs " << (both_ways > 150 || one_way > 150 ? "more than" : "at most")
         << " 150 instructions\n";
    guest::print(text);
}

} // namespace

void guest_main() {
    const std::string_view words = guest::command_line();
    const std::uint64_t count = number_behind(words, " ");
    if (words.starts_with("cost")) {
        cost();
        guest::exit(0);
    }
    open_link();
    if (words.starts_with("client"))
        client(count);
    else if (words.starts_with("server"))
        server();
    else if (words.starts_with("source"))
        source(count);
    else
        sink(count);
    guest::exit(0);
}
