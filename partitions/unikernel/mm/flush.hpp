// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/mm/flush.hpp - what CPUs must forget after a change of page tables.
//
// The protocol of sched/flush_model.hpp: who changes entries raises the space's generation; a CPU looks at it on its way into the
// kernel, once it has the lock, and on its way out, behind the fence, and forgets all of the space if it has not seen it. The CPU
// that makes a change forgets a few pages one by one, more of them all at once. One CPU so far: nobody is told by an interrupt.
#pragma once

#include "partitions/unikernel/machine/this_cpu.hpp"
#include "partitions/unikernel/mm/address_space.hpp"

namespace uk::mm {

// This CPU has forgotten all that changed so far in the space in force.
inline void note_seen() {
    machine::Cpu& cpu = machine::this_cpu();
    cpu.seen = cpu.space->generation;
}

// On the way from and to a program, whose space is in force.
inline void look_at_generation() {
    const machine::Cpu& cpu = machine::this_cpu();
    if (cpu.seen == cpu.space->generation) [[likely]]
        return;
    note_seen(); // before: what changes from here on is looked at again
    forget_user_translations();
}

class AddressSpace::Flush {
public:
    explicit Flush(AddressSpace& space) : space_(space), active_(active_space() == &space) {}
    Flush(const Flush&) = delete;
    Flush& operator=(const Flush&) = delete;
    ~Flush() {
        if (pages_ == 0)
            return;
        ++space_.generation;
        if (!active_)
            return;
        if (pages_ > one_by_one)
            forget_user_translations();
        note_seen();
    }
    void add(std::uint64_t virt) {
        if (++pages_ <= one_by_one && active_)
            forget_translation(virt);
    }

private:
    static constexpr std::uint64_t one_by_one = 32;
    AddressSpace& space_;
    bool active_;
    std::uint64_t pages_ = 0;
};

} // namespace uk::mm
