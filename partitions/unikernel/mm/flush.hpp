// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/mm/flush.hpp - what CPUs must forget after a change of page tables: flush_protocol.hpp on this machine.
//
// The CPU that makes a change forgets a few pages one by one, more of them all at once; others forget all of the space on
// their way into the kernel or out of it, or where an interrupt finds them.
#pragma once

#include "arch/x86_64/cpu/instructions.hpp"
#include "partitions/unikernel/machine/cpu.hpp"
#include "partitions/unikernel/machine/kernel_lock.hpp"
#include "partitions/unikernel/machine/local_timer.hpp"
#include "partitions/unikernel/machine/this_cpu.hpp"
#include "partitions/unikernel/mm/address_space.hpp"
#include "partitions/unikernel/mm/flush_protocol.hpp"

#include <cstdint>

namespace uk::mm {

// The protocol's policy: the CPU that asks. Other CPUs' words are read and written with the orders that it names.
class ThisCpu {
public:
    explicit ThisCpu(machine::Cpu& cpu = machine::this_cpu()) : cpu_(cpu) {}

    using Space = AddressSpace*;
    using Other = machine::Cpu*;
    using Place = protocol::Place;

    void set_mode(machine::Mode mode, Place) { __atomic_store(&cpu_.mode, &mode, __ATOMIC_RELEASE); }
    void fence(Place) { __atomic_thread_fence(__ATOMIC_SEQ_CST); }
    void take_lock(void (*meanwhile)(ThisCpu&)) {
        const std::uint32_t ticket = machine::kernel_lock.draw();
        if (!machine::kernel_lock.serves(ticket)) [[unlikely]]
            wait_for_lock(cpu_, ticket, meanwhile);
    }
    void drop_lock() { machine::kernel_lock.drop(); }

    [[nodiscard]] Space space() const { return cpu_.space; }
    void load_space(Space space);
    [[nodiscard]] std::uint64_t generation(Space space, Place) const {
        return __atomic_load_n(&space->generation, __ATOMIC_ACQUIRE);
    }
    void count_up(Space space) {
        __atomic_store_n(&space->generation, space->generation + 1, __ATOMIC_RELEASE);
    }
    [[nodiscard]] std::uint64_t seen() const { return cpu_.seen; }
    void set_seen(std::uint64_t generation) { __atomic_store_n(&cpu_.seen, generation, __ATOMIC_RELEASE); }
    void forget_all(std::uint64_t generation) { forget_and_tell(cpu_, generation); }

    [[nodiscard]] machine::Mode mode_of(Other other) const {
        machine::Mode mode;
        __atomic_load(&other->mode, &mode, __ATOMIC_ACQUIRE);
        return mode;
    }
    [[nodiscard]] std::uint64_t seen_by(Other other) const {
        return __atomic_load_n(&other->seen, __ATOMIC_ACQUIRE);
    }
    [[nodiscard]] Space space_of(Other other) const { return other->space; } // changed under the lock alone
    void interrupt(Other other) {
        other->count(machine::Interrupt::flush);
        machine::send_interrupt(other->number, machine::flush_vector);
    }
    template <typename F> void for_each_other(F f) {
        for (unsigned i = 0; i < machine::cpu_count; ++i)
            if (machine::cpus[i] != &cpu_)
                f(machine::cpus[i]);
    }
    template <typename Condition> void wait_until(Condition condition) {
        while (!condition())
            cpu::pause();
    }

private:
    // What seldom happens is out of line, so that the way of every system call needs no registers for it.
    [[gnu::noinline, gnu::cold]] static void wait_for_lock(machine::Cpu& block, std::uint32_t ticket,
                                                           void (*meanwhile)(ThisCpu&)) {
        ThisCpu cpu{block};
        machine::kernel_lock.wait(ticket, [&] { meanwhile(cpu); });
    }
    [[gnu::noinline, gnu::cold]] static void forget_and_tell(machine::Cpu& block, std::uint64_t generation) {
        forget_user_translations();
        ThisCpu{block}.set_seen(generation);
    }

    machine::Cpu& cpu_;
};

// From a program into the kernel, and back. Interrupts are off.
inline void enter_kernel() {
    ThisCpu cpu;
    protocol::enter(cpu);
}
inline void leave_kernel() {
    ThisCpu cpu;
    protocol::leave(cpu);
}

// The kernel stands still: interrupts are taken, other CPUs have their turn. Nothing may be half done. `wait` does not switch.
template <typename Wait> void let_others_in(machine::Mode meanwhile, Wait wait) {
    ThisCpu cpu;
    protocol::stand_still(cpu, meanwhile, wait);
}

// Another CPU changed tables, and waits. It has the lock.
inline void answer_flush() {
    ThisCpu cpu;
    protocol::interrupted(cpu);
}

// Entries of the space were changed; what they showed is used by nobody else before.
// This CPU forgets `own`: a page, everything, or nothing that it has not forgotten already.
inline constexpr std::uint64_t everything = ~std::uint64_t{0}, nothing = everything - 1;
void flush(AddressSpace& space, protocol::Freed freed, std::uint64_t own);

// Of several entries: while it lives each is told to it.
class AddressSpace::Flush {
public:
    explicit Flush(AddressSpace& space) : space_(space), active_(active_space() == &space) {}
    Flush(const Flush&) = delete;
    Flush& operator=(const Flush&) = delete;
    ~Flush();
    void add(std::uint64_t virt) {
        if (++pages_ <= one_by_one && active_)
            forget_translation(virt);
    }
    // A CPU may remember tables too, not only translations.
    void add_tables() {
        pages_ += one_by_one + 1;
        freed_ = protocol::Freed::tables;
    }

private:
    static constexpr std::uint64_t one_by_one = 32;
    AddressSpace& space_;
    bool active_;
    protocol::Freed freed_ = protocol::Freed::frames;
    std::uint64_t pages_ = 0;
};

} // namespace uk::mm
