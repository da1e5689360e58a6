// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/machine/console.cpp - console, log and the end of the partition: by hypercall, or
// straight on a UART and isa-debug-exit when QEMU started us.
#include "partitions/unikernel/machine/console.hpp"

#include "arch/x86_64/cpu/ports.hpp"
#include "hypervisor/base/text.hpp"
#include "partitions/abi/boot_page.h"
#include "partitions/abi/console.h"
#include "partitions/abi/hypercall.h"
#include "partitions/unikernel/base/log.hpp"
#include "partitions/unikernel/machine/clock.hpp"
#include "partitions/unikernel/machine/layout.hpp"
#include "partitions/unikernel/machine/stubs.hpp"

#include <algorithm>
#include <array>
#include <cstring>

namespace uk {

namespace {

enum class Way { none, hypervisor_amd, hypervisor_intel, direct };
Way way = Way::none;

constexpr std::uint16_t uart = 0x3F8;
constexpr std::uint8_t transmitter_empty = 0x20;
// Tries of one console call before what is left is dropped: the hypervisor bounds what a partition may print.
constexpr unsigned console_tries = 1000;

// The hypervisor reads guest-physical memory, so bytes go through a page of the kernel image.
alignas(512) std::array<std::byte, 512> bounce;
unsigned log_budget = 64;
// Of notes, a bucket that stays below what the hypervisor counts as a refused flood.
constexpr std::uint64_t most_notes = 8, note_period = 1'000'000'000;
std::uint64_t notes_left = most_notes, notes_counted_at = 0;

void direct_put(std::byte value) {
    while ((cpu::Ports::in8(uart + 5) & transmitter_empty) == 0)
        cpu::pause();
    cpu::Ports::out8(uart, static_cast<std::uint8_t>(value));
}

void hypervisor_write(std::span<const std::byte> bytes, unsigned stream) {
    std::copy(bytes.begin(), bytes.end(), bounce.begin());
    const std::uint64_t address = reinterpret_cast<std::uint64_t>(bounce.data()) - machine::kernel_base;
    std::uint64_t done = 0;
    for (unsigned tries = 0; done < bytes.size() && tries < console_tries; ++tries) {
        const long taken = machine::hypercall(CAISSON_CALL_CONSOLE_WRITE_STREAM,
                                              {address + done, bytes.size() - done, stream, 0})
                               .value;
        if (taken > 0)
            done += std::min<std::uint64_t>(static_cast<std::uint64_t>(taken), bytes.size() - done);
        else
            cpu::pause();
    }
}

} // namespace

void console_write(std::span<const std::byte> bytes, unsigned stream) {
    if (way == Way::direct) {
        for (const std::byte value : bytes)
            direct_put(value);
        return;
    }
    while (way != Way::none && !bytes.empty()) {
        const std::size_t part = std::min(bytes.size(), bounce.size());
        hypervisor_write(bytes.first(part), stream);
        bytes = bytes.subspan(part);
    }
}

void log(std::string_view text) {
    if (log_budget == 0)
        return;
    --log_budget;
    base::Text<400> line;
    line << "[caisson] " << text.substr(0, 380) << '\n';
    console_write(std::as_bytes(std::span{line.view()}), CAISSON_STREAM_ERRORS);
}

bool audit(std::string_view text) {
    const std::uint64_t periods = monotonic_ns() / note_period;
    notes_left = std::min(most_notes, notes_left + (periods - notes_counted_at));
    notes_counted_at = periods;
    if (way == Way::direct || way == Way::none || notes_left == 0)
        return false;
    --notes_left;
    const auto bytes = std::as_bytes(std::span{text.substr(0, 256)});
    std::copy(bytes.begin(), bytes.end(), bounce.begin());
    const std::uint64_t address = reinterpret_cast<std::uint64_t>(bounce.data()) - machine::kernel_base;
    return machine::hypercall(CAISSON_CALL_AUDIT, {address, bytes.size(), 0, 0}).value >= 0;
}

void audit_denial(std::string_view text) {
    static std::uint64_t dropped = 0; // since the last that was taken
    base::Text<256> note;
    note << text;
    if (dropped != 0)
        note << " dropped=" << dropped;
    dropped = audit(note.view()) ? 0 : dropped + 1;
}

namespace machine {

void guess_console() {
    constexpr std::uint32_t intel_ebx = 0x756E6547; // "Genu"
    const cpu::CpuidResult signature = cpu::cpuid(CAISSON_CPUID_SIGNATURE);
    const std::array<std::uint32_t, 3> words{signature.ebx, signature.ecx, signature.edx};
    if (std::memcmp(words.data(), CAISSON_CPUID_SIGNATURE_TEXT, sizeof(words)) != 0)
        way = Way::direct;
    else
        way = cpu::cpuid(0).ebx == intel_ebx ? Way::hypervisor_intel : Way::hypervisor_amd;
}

void set_up_console(std::uint32_t boot_flags) {
    if ((boot_flags & CAISSON_BOOT_DIRECT) != 0)
        way = Way::direct;
    else if ((boot_flags & CAISSON_BOOT_VMCALL) != 0)
        way = Way::hypervisor_intel;
    else
        way = Way::hypervisor_amd;
}

bool is_direct() {
    return way == Way::direct;
}

HypercallResult hypercall(long number, const std::array<std::uint64_t, 4>& arguments) {
    HypercallResult result;
    if (way == Way::hypervisor_amd)
        result.value = call_hypervisor_amd(number, arguments.data(), result.more.data());
    else if (way == Way::hypervisor_intel)
        result.value = call_hypervisor_intel(number, arguments.data(), result.more.data());
    return result;
}

void end_partition(unsigned status, unsigned kind) {
    if (way == Way::direct) {
        base::Text<64> line;
        line << "caisson-direct: status=" << status << '\n';
        console_write(std::as_bytes(std::span{line.view()}), CAISSON_STREAM_OUTPUT);
        cpu::Ports::out32(CAISSON_DEBUG_EXIT_PORT, status);
    } else if (way != Way::none) {
        (void)hypercall(CAISSON_CALL_EXIT, {status, kind, 0, 0});
    }
    for (;;) {
        cpu::interrupts_off();
        cpu::halt();
    }
}

} // namespace machine
} // namespace uk

namespace base {

void fail(const char* what, const char* file, unsigned line) {
    static bool failing = false;
    if (!failing) {
        failing = true;
        Text<300> text;
        text << "[caisson] kernel error: " << what;
        if (file[0] != '\0')
            text << " (" << file << ':' << line << ')';
        text << '\n';
        uk::console_write(std::as_bytes(std::span{text.view()}), CAISSON_STREAM_ERRORS);
    }
    uk::machine::end_partition(uk::machine::failure_status, CAISSON_EXIT_FAULT);
}

} // namespace base
