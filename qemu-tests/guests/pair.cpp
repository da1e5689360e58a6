// SPDX-License-Identifier: Apache-2.0
// qemu-tests/guests/pair.cpp - a partition of two CPUs: INIT/SIPI, IPIs both ways, ordered memory.
#include "partitions/adversary/runtime/guest.hpp"

#include <atomic>

namespace {

constexpr unsigned ping_vector = 0x50;
constexpr unsigned rounds = 200;
constexpr std::uint32_t msr_x2apic_id = 0x802;
constexpr std::uint32_t msr_x2apic_icr = 0x830;
constexpr std::uint32_t msr_x2apic_svr = 0x80F;
std::atomic<std::uint64_t> received[2];
std::atomic<std::uint64_t> shared;
std::atomic<bool> other_runs;
std::atomic<std::uint64_t> other_id{99};

std::uint64_t own_id() {
    return cpu::rdmsr(msr_x2apic_id);
}

void send(std::uint64_t to) {
    cpu::wrmsr(msr_x2apic_icr, to << 32 | 0x4000 | ping_vector);
}

void other() {
    other_id = own_id();
    other_runs = true;
    cpu::interrupts_on();
    for (unsigned i = 0; i < rounds; ++i) {
        while (received[1] <= i)
            cpu::pause();
        shared.fetch_add(1);
        send(0);
    }
    for (;;)
        cpu::halt();
}

} // namespace

void guest_main() {
    base::Text<128> text;
    text << "pair: " << guest::boot_page().vcpu_count << " cpus, this is " << own_id() << '\n';
    guest::print(text);
    guest::interrupt_hook = [](unsigned) { received[own_id() == 0 ? 0 : 1].fetch_add(1); };
    cpu::wrmsr(msr_x2apic_svr, 0x1FF);
    guest::start_cpu(1, other);
    for (std::uint64_t i = 0; i < 1'000'000'000 && !other_runs; ++i)
        cpu::pause();
    if (!other_runs) {
        guest::print("pair: the other cpu did not start\n");
        guest::exit(1);
    }
    cpu::interrupts_on();
    for (unsigned i = 0; i < rounds; ++i) {
        send(1);
        while (received[0] <= i)
            cpu::pause();
    }
    text.clear();
    text << "pair: other=" << other_id.load() << " rounds=" << shared.load() << '\n';
    guest::print(text);
    guest::exit(shared == rounds && other_id == 1 ? 0 : 1);
}
