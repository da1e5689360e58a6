// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/mm/flush_protocol.hpp - how CPUs that run in an address space and one that changes its page tables come to terms.
//
// Steps and their order alone; what they do is the policy's: on a machine mm/flush.hpp, in the test a model that visits
// every interleaving of these same functions (flush_model.hpp). Who changes entries holds the kernel lock and comes to
// flush() between the change and the moment when what was shown is freed. Interrupts are off in all of them.
// Invariants: F1  a CPU in user mode, and one that holds the lock, remembers no frame that was freed
//             F2  no CPU, not even one that waits for the lock, remembers a table that was freed: it walks its tables when it likes,
//                 and may write into them (the accessed bit)
//             F3  who flushes waits only for CPUs that answer: those in user mode by an interrupt, those that wait for the lock by
//                 looking meanwhile
#pragma once

#include "partitions/unikernel/machine/this_cpu.hpp"

#include <concepts>
#include <cstdint>

namespace uk::mm::protocol {

using machine::Mode;

// Why an operation is there; no machine asks, the model leaves them out one by one.
enum class Place : std::uint8_t { way_in, waiting, way_out, interrupt, stood_still, flush };

// What is freed after a flush.
enum class Freed : std::uint8_t { frames, tables };

// What the protocol asks of a CPU. A generation counts a space's changes; a CPU has `seen` it once it remembers nothing
// older. A space's identity is the policy's (Space), and so is the order of other CPUs (Other).
template <typename P>
concept Policy = requires(P& cpu, typename P::Space space, typename P::Other other, std::uint64_t value,
                          Mode mode, Place place) {
    cpu.set_mode(mode, place); // release
    cpu.fence(place);          // what this CPU wrote is seen before what it reads from here on is read
    cpu.take_lock([](P&) {});  // acquire; the function is called again and again while another has it
    cpu.drop_lock();           // release
    { cpu.space() } -> std::same_as<typename P::Space>; // whose tables are loaded; Space{}: the kernel's own
    cpu.load_space(space);                              // and forgets all of the one before
    { cpu.generation(space, place) } -> std::same_as<std::uint64_t>;
    cpu.count_up(space);
    { cpu.seen() } -> std::same_as<std::uint64_t>;
    cpu.set_seen(value);
    cpu.forget_all(value); // the user translations of this CPU, and then set_seen(value)
    // Of other CPUs: what they last wrote, the interrupt that makes them call interrupted(), and a function for each.
    { cpu.mode_of(other) } -> std::same_as<Mode>;
    { cpu.seen_by(other) } -> std::same_as<std::uint64_t>;
    { cpu.space_of(other) } -> std::same_as<typename P::Space>;
    cpu.interrupt(other);
    cpu.for_each_other([](typename P::Other) {});
    cpu.wait_until([] { return true; }); // asks again and again
};

// Forgets all of the space in force if it changed since this CPU last looked. The generation is read first: what changes
// from then on is looked at again.
template <Policy P> [[gnu::always_inline]] inline void catch_up(P& cpu, Place place) {
    const std::uint64_t now = cpu.generation(cpu.space(), place);
    if (cpu.seen() == now) [[likely]]
        return;
    cpu.forget_all(now);
}

// While others have the lock the CPU answers whoever flushes (F3).
template <Policy P> inline void take_lock(P& cpu) {
    cpu.take_lock([](P& waiting) {
        if (waiting.space() != typename P::Space{})
            catch_up(waiting, Place::waiting);
    });
}

// From a program into the kernel. The mode is told before the lock is waited for: who has it sends no interrupt to a CPU that would
// not take it. What was changed since is forgotten once it is held, before a program's memory is touched (F1).
template <Policy P> [[gnu::always_inline]] inline void enter(P& cpu) {
    cpu.set_mode(Mode::kernel, Place::way_in);
    take_lock(cpu);
    catch_up(cpu, Place::way_in);
}

// And back: a CPU that changed tables before it could see the mode changed them before this looks again.
template <Policy P> [[gnu::always_inline]] inline void leave(P& cpu) {
    cpu.drop_lock();
    cpu.set_mode(Mode::user, Place::way_out);
    cpu.fence(Place::way_out);
    catch_up(cpu, Place::way_out);
}

// The interrupt of one who flushes. It takes no lock: he holds it.
template <Policy P> void interrupted(P& cpu) {
    if (cpu.space() != typename P::Space{})
        catch_up(cpu, Place::interrupt);
}

// The kernel stands still in `wait`: others have the lock meanwhile, nobody waits for this CPU. `meanwhile` is `idle` on the
// kernel's own tables, or `kernel`.
template <Policy P, typename Wait> void stand_still(P& cpu, Mode meanwhile, Wait wait) {
    cpu.set_mode(meanwhile, Place::stood_still);
    cpu.drop_lock();
    wait();
    cpu.set_mode(Mode::kernel, Place::stood_still);
    take_lock(cpu);
    if (cpu.space() != typename P::Space{})
        catch_up(cpu, Place::stood_still);
}

// Another space's tables from here on, or none. Only under the lock: no generation changes meanwhile.
template <Policy P> void change_space(P& cpu, typename P::Space space) {
    cpu.load_space(space);
    if (space != typename P::Space{})
        cpu.set_seen(cpu.generation(space, Place::flush));
}

// Entries of `space` were changed. `forget_own` makes this CPU forget them, where the space is in force here. Afterwards
// no other CPU uses what they showed, and no other walks through tables that are to be freed.
template <Policy P, typename ForgetOwn>
void flush(P& cpu, typename P::Space space, Freed freed, ForgetOwn forget_own) {
    cpu.count_up(space);
    cpu.fence(Place::flush); // before the modes are read
    const std::uint64_t now = cpu.generation(space, Place::flush);
    if (cpu.space() == space) {
        forget_own();
        cpu.set_seen(now);
    }
    const auto is_to_look = [&](typename P::Other other) {
        return cpu.space_of(other) == space && (freed == Freed::tables || cpu.mode_of(other) == Mode::user) &&
               cpu.seen_by(other) != now;
    };
    cpu.for_each_other([&](typename P::Other other) {
        if (is_to_look(other) && (freed == Freed::frames || cpu.mode_of(other) == Mode::user))
            cpu.interrupt(other);
    });
    cpu.for_each_other([&](typename P::Other other) { cpu.wait_until([&] { return !is_to_look(other); }); });
}

} // namespace uk::mm::protocol
