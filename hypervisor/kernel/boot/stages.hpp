// SPDX-License-Identifier: Apache-2.0
// hypervisor/kernel/boot/stages.hpp - what boot does before the first partition runs, in the order of main.cpp.
//
// All of it on the boot CPU under the early tables, except verify_share().
#pragma once

#include "drivers/uart/uart.hpp"
#include "hypervisor/core/acpi/tables.hpp"
#include "hypervisor/core/board/machine.hpp"
#include "hypervisor/core/bundle/header_buffer.hpp"
#include "hypervisor/core/bundle/verify.hpp"
#include "hypervisor/core/crypto/sha256.hpp"
#include "hypervisor/core/plan/bind.hpp"
#include "hypervisor/kernel/cpu/cpu.hpp"
#include "hypervisor/kernel/machine.hpp"
#include "hypervisor/kernel/making.hpp"
#include "hypervisor/kernel/memory/address_space.hpp"
#include "loader/handover/boot_record.hpp"

namespace hv {

// What only boot itself needs of the machine.
struct Found {
    loader::BootRecord boot;
    // The UART; base 0: none answers. All zero, so that these 80 KiB are .bss.
    drivers::UartPlace console{0, false, false, 0};
    memory::Runs map; // usable memory
    // Registers that the hypervisor may use, checked (plan::check_devices).
    board::Devices devices;
    crypto::Sha256Engine hash_engine = crypto::Sha256Engine::portable;
    std::optional<bundle::HeaderBuffer> header;
    std::optional<bundle::Contents> contents;
    std::optional<plan::Plan> plan;
    std::span<const std::byte> leaves; // of the bundle, a private copy
};
[[nodiscard]] Found& found();

// firmware.cpp: taking the machine over from firmware; devices quiet, tables read, clocks measured.

// The first act: no device may write memory any more. Then the boot record and the memory map, or a refusal.
enum class Bundle : std::uint8_t { needed, not_needed };
void take_over(std::uint32_t protocol, std::uint64_t information, Bundle bundle = Bundle::needed);
// Room below 1 MiB to start the other CPUs from, that firmware does not use; the start record has been read and the module lies above.
[[nodiscard]] base::PhysAddr trampoline_page();
// What firmware's structures are read through: all that the early tables map. The RSDP there; 0: none.
[[nodiscard]] bytes::Source early_memory();
[[nodiscard]] std::uint64_t rsdp();
// Reads the ACPI tables and keeps what outlives boot of them.
[[nodiscard]] base::Status<acpi::Error> look_at_tables();
// ACPI tables; interrupt controllers masked. Refuses a machine that describes no CPU or puts devices into memory.
void read_tables();
// The TPM that firmware names, where its registers can be used.
[[nodiscard]] std::optional<acpi::Tpm> find_tpm();
// TSC and APIC timer frequencies, wall clock. Refuses a machine without any clock that runs; the frequencies alone, or false.
void measure_clocks();
[[nodiscard]] bool find_clock();

// Whether the hypervisor can reach it, and it lies apart from memory.
[[nodiscard]] bool may_be_device(std::uint64_t address, std::uint64_t bytes);

// screen.cpp: what a person sees. Firmware's frame buffer, else VGA's text where a BIOS started us, else nothing.
void open_screen();
void show_appliance(const bundle::Signer& signer);
// A frame buffer over another device's registers is given up.
void keep_screen_apart();
// Into the hypervisor's tables, unless a partition owns it.
[[nodiscard]] base::Status<paging::Error> map_screen(AddressSpace& space);
// Rows for the partitions' states and panes.
void show_partitions();

// trust.cpp: nothing runs unverified; the boot CPU verifies header and table, every CPU its share of the payloads, and all
// wait for each other before the first partition starts.

[[gnu::section(".caisson.keys")]] extern const bundle::KeyTable trusted_keys;
// Header, leaf lists, gaps and the plan, from private copies. Refuses the bundle or returns who signed it.
[[nodiscard]] bundle::Signer verify_header_and_plan();
// Each CPU, own tables: its own partition's sections, and its share of those that no partition owns alone.
[[nodiscard]] bundle::Status verify_share(const Cpu& cpu);
// One line that names section and leaf; does not return.
[[noreturn]] void refuse_bundle(const bundle::Issue& issue);

// measure.cpp: what was verified so far, into the machine's TPM, each event in the audit log with its digests. Refuses a machine
// whose TPM fails or is none where the plan wants one (machine.tpm: required); elsewhere such a TPM is recorded and left.
void measure_bundle(const bundle::Signer& signer);

// binding.cpp: the plan on this machine, and everything the hypervisor allocates.

// Refuses the machine; the reason with its numbers.
[[noreturn]] void refuse(const plan::Issue& issue);
// The parts of the machine that do not come from the plan or the bundle's table.
[[nodiscard]] plan::Machine described_hardware();
// Chooses frames and CPUs (core/plan), or refuses the machine naming what is missing.
void bind_plan();
// CPU, partition and vCPU objects, second-stage tables, permission maps, the hypervisor's own tables; seals the pool.
// Returns the root of the hypervisor's tables.
[[nodiscard]] base::PhysAddr build_everything();
// What was decided on the boot CPU holds on every CPU of the plan, or the machine is refused, naming CPU and difference: mixed
// steppings or microcode, hybrid parts. Each CPU, its own; switches on the protections against the CPU's weaknesses.
void refuse_other_kind(const Cpu& cpu);
// Every frame that belongs to no partition and no bundle: the image with its boot stack and the whole frame pool.
[[nodiscard]] std::uint64_t hypervisor_bytes();
[[nodiscard]] std::uint64_t partition_bytes();

} // namespace hv
