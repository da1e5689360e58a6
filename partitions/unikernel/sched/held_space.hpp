// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/sched/held_space.hpp - what is mapped in a space stays while a call works on it in pieces.
//
// As Linux's lock of a space for writing, but that faults go on. Who holds it is ready to run and never sleeps, so others wait by
// letting it run, on this CPU or another.
#pragma once

#include "partitions/unikernel/mm/address_space.hpp"
#include "partitions/unikernel/sched/scheduler.hpp"

namespace uk::sched {

// One at a time for each space; not twice by one thread.
class HeldSpace {
public:
    explicit HeldSpace(mm::AddressSpace& space) : space_(space) {
        while (space.ranges_held) {
            yield();
            preemption_point();
        }
        space.ranges_held = true;
    }
    HeldSpace(const HeldSpace&) = delete;
    HeldSpace& operator=(const HeldSpace&) = delete;
    ~HeldSpace() { space_.ranges_held = false; }
    mm::AddressSpace* operator->() const { return &space_; }
    mm::AddressSpace& operator*() const { return space_; }

private:
    mm::AddressSpace& space_;
};

} // namespace uk::sched
