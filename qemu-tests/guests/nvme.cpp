// SPDX-License-Identifier: Apache-2.0
// qemu-tests/guests/nvme.cpp - a partition with an NVMe controller of its own: it writes to our memory and interrupts us, and it
// reaches nothing else.
//
// `identify`  asks it who it is, by DMA and MSI-X.      `dies`  besides: the first life ends with a transfer on its way.
#include "partitions/adversary/runtime/nvme.hpp"

#include <algorithm>

namespace {

using guest::Nvme;

constexpr unsigned timer_vector = 0x30;
volatile unsigned interrupts = 0, others = 0;
alignas(4096) std::array<unsigned char, 4096> answer{};

template <typename... Parts> void say(const Parts&... parts) {
    base::Text<200> line;
    line << "nvme: ";
    (line << ... << parts);
    line << '\n';
    guest::print(line);
}

[[noreturn]] void fail(std::string_view why, std::uint64_t number) {
    say(why, ' ', number);
    guest::exit(2);
}

void look_at_answer() {
    const unsigned vendor = answer[0] | unsigned{answer[1]} << 8;
    if (vendor != 0x1b36 && vendor != 0x8086)
        fail("identify wrote another vendor:", vendor);
}

// Interrupts on until one has come or time is up.
void take_interrupts(unsigned wanted) {
    asm volatile("sti" : : : "memory");
    for (unsigned i = 0; i < 20'000'000 && interrupts < wanted; ++i)
        cpu::pause();
    asm volatile("cli" : : : "memory");
}

void own_device() {
    const caisson_boot_page& page = guest::boot_page();
    if (page.device_count != 1)
        fail("devices in the boot page:", page.device_count);
    const caisson_device& device = page.devices[0];
    static unsigned expected = 0;
    expected = device.first_vector;
    guest::interrupt_hook = [](unsigned vector) {
        if (vector == expected)
            interrupts = interrupts + 1;
        else if (vector != timer_vector)
            others = others + 1;
    };
    const std::uint64_t hz = page.apic_timer_hz;
    guest::start_timer(timer_vector, static_cast<std::uint32_t>(hz != 0 ? hz / 100 : 1'000'000));
    Nvme controller;
    if (!controller.start(device))
        fail("the controller does not get ready in life", page.generation);
    for (unsigned i = 1; i <= 3; ++i) {
        answer.fill(0);
        if (const unsigned status = controller.identify(reinterpret_cast<std::uint64_t>(answer.data()));
            status != 0)
            fail("identify failed with status", status);
        look_at_answer();
        take_interrupts(i);
    }
    say("class ", base::hex(device.class_code), " vectors ", std::uint64_t{device.vectors}, " interrupts ",
        std::uint64_t{interrupts}, " others ", std::uint64_t{others}, " life ", page.generation);
    if (page.generation == 1 && guest::command_line().find("dies") != std::string_view::npos) {
        controller.send_identify(reinterpret_cast<std::uint64_t>(answer.data()));
        guest::exit(1);
    }
    guest::exit(interrupts == 3 && others == 0 ? 0 : 3);
}

} // namespace

extern "C" void guest_main() {
    own_device();
}
