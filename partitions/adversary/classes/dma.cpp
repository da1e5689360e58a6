// SPDX-License-Identifier: Apache-2.0
// partitions/adversary/classes/dma.cpp - a device of one's own as a weapon: an NVMe controller that is told to write, read and
// interrupt where its owner may not. There is one only where the appliance gives it (QEMU).
#include "partitions/adversary/attack.hpp"
#include "partitions/adversary/runtime/nvme.hpp"

#include <array>

namespace attack {
namespace {

constexpr std::uint64_t page = 4096, wide = std::uint64_t{1} << 40;
constexpr unsigned soon = 200'000; // looks at what does not come
alignas(page) std::array<unsigned char, page> answer{};
// Where messages are written to; as a unit remaps them; the data is added to the entry.
constexpr std::uint64_t messages = 0xfee00000, remappable = 0x10, with_data = 8;
volatile unsigned strange = 0; // interrupts that nobody may send
alignas(page) std::array<unsigned char, 4 * page> landing{};

const caisson_device& device() {
    return guest::boot_page().devices[0];
}
bool start(guest::Nvme& controller, std::uint64_t queues = 0) {
    guest::interrupt_hook = [](unsigned vector) {
        if (vector != device().first_vector)
            strange = strange + 1;
    };
    return controller.start(device(), queues);
}

// The controller writes 4 KiB there. Some say that this went well when it did not: the unit's word counts, in the audit log.
Verdict write_to(std::uint64_t address, std::uint64_t) {
    aim(device().requester, address);
    guest::Nvme controller;
    if (!start(controller))
        return Verdict::exception;
    (void)controller.identify(address, soon);
    return Verdict::contained;
}
Verdict write_behind_memory(std::uint64_t distance, std::uint64_t) {
    return write_to(guest::boot_page().memory_bytes + distance, 0);
}
// Where its owner can read what became of it. Identify's first bytes are never these.
Verdict write_to_readable(std::uint64_t address) {
    const auto* const word = reinterpret_cast<const volatile std::uint64_t*>(address);
    const std::uint64_t before = *word;
    const Verdict verdict = write_to(address, 0);
    return *word == before ? verdict : Verdict::granted;
}
Verdict write_to_root(std::uint64_t, std::uint64_t) {
    return write_to_readable(guest::boot_page().root_gpa);
}
Verdict write_to_lane(std::uint64_t send, std::uint64_t) {
    const caisson_link& link = guest::boot_page().links[0];
    return write_to_readable(send != 0 ? link.send_gpa : link.receive_gpa);
}
Verdict write_to_itself(std::uint64_t offset, std::uint64_t) {
    return write_to(guest::Nvme::registers(device()) + offset, 0);
}
// It reads its commands from there, and never answers.
Verdict queues_at(std::uint64_t address, std::uint64_t) {
    aim(device().requester, address);
    guest::Nvme controller;
    if (!start(controller, address))
        return Verdict::contained;
    return controller.identify(reinterpret_cast<std::uint64_t>(answer.data()), soon) == guest::Nvme::no_answer
               ? Verdict::contained
               : Verdict::granted;
}
Verdict queues_behind_memory(std::uint64_t distance, std::uint64_t) {
    return queues_at(guest::boot_page().memory_bytes + distance, 0);
}
// It interrupts by another message than its own; nobody hears it.
Verdict message(std::uint64_t address, std::uint64_t data) {
    if ((address & ~std::uint64_t{0xfffff}) == messages)
        aim_message(device().requester, address, static_cast<std::uint32_t>(data));
    else
        aim(device().requester, address);
    guest::Nvme controller;
    if (!start(controller))
        return Verdict::exception;
    controller.set_message(address, static_cast<std::uint32_t>(data));
    const unsigned before = strange;
    if (controller.identify(reinterpret_cast<std::uint64_t>(answer.data())) != 0)
        return Verdict::exception;
    asm volatile("sti" : : : "memory");
    for (unsigned i = 0; i < 100'000; ++i)
        cpu::pause();
    asm volatile("cli" : : : "memory");
    return strange == before ? Verdict::contained : Verdict::granted;
}
Verdict message_to_entry(std::uint64_t entry, std::uint64_t) {
    return message(messages | remappable | with_data | (entry & 0x7fff) << 5 | (entry >> 15 & 1) << 2, 0);
}
// The first entry of another device, of the same owner: an entry is one requester's.
Verdict message_of_the_next(std::uint64_t, std::uint64_t) {
    const caisson_device& next = guest::boot_page().devices[1];
    return message(next.message_address, next.message_data);
}
// The entry behind its own last one.
Verdict message_behind(std::uint64_t distance, std::uint64_t) {
    return message(device().message_address, device().message_data + device().vectors - 1 + distance);
}
// Its own, with the bits in which a message that no unit remaps has its vector and how it is delivered.
Verdict message_with(std::uint64_t data, std::uint64_t) {
    return message(device().message_address, data);
}
// And with the bits in which such a message has its CPU.
Verdict message_to_cpu(std::uint64_t apic_id, std::uint64_t) {
    return message(device().message_address | apic_id << 12, device().message_data);
}
Verdict message_to_memory(std::uint64_t distance, std::uint64_t) {
    return message(guest::boot_page().memory_bytes + distance, 0x20);
}

// Guest-physical: behind the last BAR of all, before the first.
std::uint64_t bars_end() {
    std::uint64_t end = CAISSON_GPA_DEVICES;
    for (const caisson_device& one :
         std::span{guest::boot_page().devices}.first(guest::boot_page().device_count))
        for (const auto& bar : one.bars)
            end = bar.bytes != 0 && bar.gpa + bar.bytes > end ? bar.gpa + bar.bytes : end;
    return end;
}
Verdict read_behind_bars(std::uint64_t distance, std::uint64_t) {
    return read_at(bars_end() + distance, 0);
}
Verdict write_behind_bars(std::uint64_t distance, std::uint64_t) {
    return write_at(bars_end() + distance, 0);
}
// Instructions come from memory of one's own alone.
Verdict run_bar(std::uint64_t, std::uint64_t) {
    return attempt([] { reinterpret_cast<void (*)()>(device().bars[0].gpa)(); });
}

// Where the controller was told to write when the last life ended lies its owner's memory, of this life.
bool nothing_landed = false, forgot_all = false;
Verdict nothing_lands(std::uint64_t, std::uint64_t) {
    return nothing_landed ? Verdict::harmless : Verdict::granted;
}
// The last life left it running, with queues and a message.
Verdict devices_forget(std::uint64_t, std::uint64_t) {
    return forgot_all ? Verdict::harmless : Verdict::granted;
}

bool has_root() {
    return guest::boot_page().root_bytes != 0;
}
bool has_more_devices() {
    return guest::boot_page().device_count > 1;
}
bool has_link() {
    return guest::boot_page().link_count != 0;
}

constexpr Expected refused_dma{Verdict::contained, Audit::dma};

constexpr std::array<Case, 41> cases{{
    {"write-behind-memory", refused_dma, write_behind_memory, 0},
    {"write-far-behind-memory", refused_dma, write_behind_memory, 0x4000000},
    {"write-to-root-image", refused_dma, write_to_root, 0, 0, has_root},
    {"write-to-own-lane", refused_dma, write_to_lane, 1, 0, has_link},
    {"write-to-what-is-read", refused_dma, write_to_lane, 0, 0, has_link},
    {"write-to-own-registers", refused_dma, write_to_itself, 0},
    {"write-to-own-messages", refused_dma, write_to_itself, 0x2000},
    {"write-to-io-apic", refused_dma, write_to, 0xfec00000},
    {"write-to-hpet", refused_dma, write_to, 0xfed00000},
    {"write-to-iommu", refused_dma, write_to, 0xfed90000},
    {"write-to-firmware", refused_dma, write_to, 0xfffff000},
    {"write-to-configuration", refused_dma, write_to, 0xb0000000},
    {"write-to-4-gib", refused_dma, write_to, std::uint64_t{1} << 32},
    {"write-beyond-39-bits", refused_dma, write_to, wide},
    {"write-beyond-48-bits", refused_dma, write_to, std::uint64_t{1} << 48},
    {"write-to-the-last-page", refused_dma, write_to, ~std::uint64_t{0} - page + 1},
    {"queues-behind-memory", refused_dma, queues_behind_memory, 0},
    {"queues-far-behind-memory", refused_dma, queues_behind_memory, 0x4000000},
    {"queues-at-the-iommu", refused_dma, queues_at, 0xfed90000},
    {"queues-beyond-48-bits", refused_dma, queues_at, std::uint64_t{1} << 48},
    {"message-of-an-io-apic", refused_dma, message_to_entry, 0},
    {"message-of-nobody", refused_dma, message_to_entry, 100},
    {"message-of-the-next-device", refused_dma, message_of_the_next, 0, 0, has_more_devices},
    {"message-beyond-the-table", refused_dma, message_to_entry, 0x7fff},
    {"message-with-bit-15", refused_dma, message_to_entry, 0x8000},
    {"message-behind-its-last", refused_dma, message_behind, 1},
    {"message-far-behind-its-last", refused_dma, message_behind, 0x8000},
    {"message-behind-memory", refused_dma, message_to_memory, 0},
    {"message-as-smi", refused_dma, message_with, 2u << 8},
    {"message-as-nmi", refused_dma, message_with, 4u << 8},
    {"message-as-init", refused_dma, message_with, 5u << 8},
    {"message-as-page-fault", refused_dma, message_with, 14},
    {"message-to-another-cpu", refused_dma, message_to_cpu, 2},
    {"message-to-every-cpu", refused_dma, message_to_cpu, 0xff},
    {"nothing-lands-in-the-next-life", Verdict::harmless, nothing_lands},
    {"devices-forget", Verdict::harmless, devices_forget},
    {"devices-forget-again", Verdict::harmless, devices_forget},
    {"read-behind-bars", stopped_npf, read_behind_bars, 0},
    {"write-behind-bars", stopped_npf, write_behind_bars, 0},
    {"write-far-behind-bars", stopped_npf, write_behind_bars, 0x1000000},
    {"run-a-bar", stopped_npf, run_bar},
}};

} // namespace

std::span<const Case> dma_cases() {
    return guest::boot_page().device_count != 0 ? std::span<const Case>{cases} : std::span<const Case>{};
}

// Spec: Intel VT-d 4.1, 5.1.2.2 "Interrupt Requests in Remappable Format"; 7.1.3: a fault's record has the entry in its upper 16 bits.
void aim_message(std::uint16_t requester, std::uint64_t address, std::uint32_t data) {
    const std::uint64_t handle = (address >> 5 & 0x7fff) | (address >> 2 & 1) << 15;
    const std::uint64_t entry = handle + ((address & with_data) != 0 ? data & 0xffff : 0);
    aim(requester, entry << 48);
}

void look_at_landing() {
    nothing_landed = true;
    forgot_all = dma_cases().empty() || guest::Nvme::is_fresh(device());
    for (unsigned look = 0; look < (dma_cases().empty() ? 0 : 20); ++look) {
        for (const volatile unsigned char& byte : landing)
            nothing_landed = nothing_landed && byte == 0;
        for (unsigned i = 0; i < 1000; ++i)
            cpu::pause();
    }
}

void leave_transfers() {
    guest::Nvme controller;
    if (!dma_cases().empty() && start(controller))
        for (std::size_t at = 0; at < landing.size(); at += page)
            controller.send_identify(reinterpret_cast<std::uint64_t>(landing.data()) + at);
}

} // namespace attack
