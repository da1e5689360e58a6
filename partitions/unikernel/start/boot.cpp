// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/start/boot.cpp - from the PVH entry to the first program: memory and time (early.cpp), CPU, files, process 1.
#include "arch/x86_64/cpu/instructions.hpp"
#include "hypervisor/base/fail.hpp"
#include "partitions/unikernel/machine/calibrate.hpp"
#include "partitions/unikernel/machine/console.hpp"
#include "partitions/unikernel/machine/cpu.hpp"
#include "partitions/unikernel/machine/kernel_lock.hpp"
#include "partitions/unikernel/machine/layout.hpp"
#include "partitions/unikernel/machine/random.hpp"
#include "partitions/unikernel/machine/stubs.hpp"
#include "partitions/unikernel/mm/frame_setup.hpp"
#include "partitions/unikernel/sched/scheduler.hpp"
#include "partitions/unikernel/sched/timer.hpp"
#include "partitions/unikernel/start/container.hpp"
#include "partitions/unikernel/start/cpus.hpp"
#include "partitions/unikernel/start/early.hpp"
#include "partitions/unikernel/start/pulse.hpp"

extern "C" std::uintptr_t __stack_chk_guard;

namespace uk::start {

namespace {

sched::Cpu first_cpu;

// What only the start needed.
void release_boot_memory() {
    mm::add_frames(base::PhysAddr{machine::image_physical(boot_bss_start)},
                   base::PhysAddr{machine::image_physical(image_end)});
}

void set_up_time(std::uint64_t apic_timer_hz) {
    start_clock();
    if (machine::is_direct())
        machine::enable_bare_apic();
    sched::set_up_timer(apic_timer_hz);
}

} // namespace

extern "C" [[noreturn]] __attribute__((no_stack_protector)) void kernel_start(std::uint32_t start_info) {
    std::uint64_t guard = cpu::rdtsc() * 0x9E3779B97F4A7C15;
    if ((cpu::cpuid(1).ecx & 1u << 30) != 0)
        (void)cpu::rdrand(guard);
    __stack_chk_guard = guard & ~std::uint64_t{0xFF}; // a zero byte stops string overruns

    read_boot_page(start_info);
    const caisson_boot_page& page = boot_page();
    const Region root = root_region();
    machine::detect_features();
    set_up_memory(root);
    machine::set_up_cpu(first_cpu, 0);
    for (void (*const* init)() = init_array_start; init != init_array_end; ++init)
        (*init)();
    machine::set_up_random(std::as_bytes(std::span{page.entropy_seed}));
    set_up_time(page.apic_timer_hz);
    machine::kernel_lock.take();
    machine::cpus[0] = &first_cpu;
    machine::cpu_count = 1;
    if (!sched::make_idle_thread(first_cpu))
        base::fail("out of memory at start", "", 0);
    if (page.vcpu_count > 1)
        start_other_cpus(page.vcpu_count);
    start_pulse(*reinterpret_cast<volatile caisson_boot_page*>(boot_module().data()));

    const std::byte* root_data =
        root.start == root.end ? nullptr : mm::frame_data(base::PhysAddr{root.start});
    const ContainerFiles files{{root_data, root.end - root.start}, boot_module()};
    start_container(page, files, &release_boot_memory);
}

} // namespace uk::start
