// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/machine/stubs.hpp - the assembly routines of stubs.S and calls.S, and the symbols of the linker
// script.
#pragma once

#include <cstddef>
#include <cstdint>

extern "C" {

void system_call_entry();
void thread_begin();
void idle_begin();
void switch_stack(std::uint64_t* save, std::uint64_t load);
[[noreturn]] void leave_boot_stack(std::uint64_t stack);
void idle_wait();
void take_interrupts(); // those that wait
void load_segments();

std::size_t user_copy(void* to, const void* from, std::size_t bytes);
std::size_t user_clear(void* to, std::size_t bytes);
std::int64_t user_string(char* to, const char* from, std::size_t bytes);
long user_compare_exchange(std::uint32_t* word, std::uint32_t expected, std::uint32_t desired,
                           std::uint32_t* seen);

long call_hypervisor_amd(long number, const std::uint64_t* arguments, std::uint64_t* results);
long call_hypervisor_intel(long number, const std::uint64_t* arguments, std::uint64_t* results);

void vector_save_xsave(std::byte* area);
long vector_restore_xsave(const std::byte* area); // 0, or 1: the area is not sound
void vector_save_fxsave(std::byte* area);
long vector_restore_fxsave(const std::byte* area);
// XMM0-15, 256 bytes: around kernel code that uses SSE instructions.
void save_sse(std::byte* area);
void load_sse(const std::byte* area);

// Addresses in code, for the fault handler.
extern const char user_copy_words[], user_copy_words_failed[], user_copy_bytes[], user_copy_bytes_failed[];
extern const char user_clear_bytes[], user_clear_bytes_failed[];
extern const char user_string_load[], user_string_load_end[], user_string_failed[];
extern const char user_exchange_access[], user_exchange_access_end[], user_exchange_failed[];
extern const char vector_xrstor[], vector_xrstor_end[], vector_fxrstor[], vector_fxrstor_end[],
    vector_restore_failed[];
extern const std::uint64_t trap_addresses[36];
extern const std::uint64_t trap_spurious_address;

// Linker script.
extern const char image_start[], text_start[], text_end[], rodata_end[], boot_bss_start[], image_end[];
extern const std::uint64_t smap_sites_start[], smap_sites_end[];
extern void (*const init_array_start[])();
extern void (*const init_array_end[])();
}
