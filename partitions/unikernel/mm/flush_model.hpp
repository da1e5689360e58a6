// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/mm/flush_model.hpp - every interleaving of CPUs that run the functions of flush_protocol.hpp. Test code only.
//
// A CPU's program is a list of sections: functions over a policy (Replay) whose operations are the steps that others may come
// between. A section is run again from its start for every step, with the results that its operations had so far, and stops
// at the first that has none: that is its next step. A store waits in its CPU's buffer until it drains, at any later moment,
// in order, or at a fence (x86-64's TSO); a load sees the own buffer first; a CPU may remember a translation at any moment.
#pragma once

#include "partitions/unikernel/mm/flush_protocol.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace uk::mm::model {

using machine::Mode;

inline constexpr std::size_t cpus = 3, spaces = 2;

// What is left out or done at another moment, to see that it is missed. The protocol's code is the same in all of them.
enum class Mutation : std::uint8_t {
    none,
    no_look_on_the_way_in,
    no_look_while_waiting, // for the lock
    no_look_on_the_way_out,
    no_look_after_standing_still,
    no_look_in_the_interrupt,
    no_fence_on_the_way_out,
    no_fence_after_the_change,
    no_generation,           // it is not counted up
    no_mode_on_the_way_out,  // the CPU never says that it is in a program
    no_interrupt,            // nobody tells a CPU that is in user mode
    no_wait,                 // nobody waits until it has looked
    no_own_forgetting,       // who flushes remembers
    seen_not_set,            // by who goes to another space
    generation_read_late,    // once all is forgotten
    flush_before_the_change, // a caller's mistake
    free_before_the_flush,   // likewise
    tables_freed_as_frames,  // likewise
    // Harmless.
    no_mode_on_the_way_in, // the CPU never says that it is in the kernel
    mode_after_the_lock,   // it says so once it holds the lock
    lock_dropped_last,
};

// Words of memory that the CPUs share. Of a space: its one entry (the frame that it shows, 0: none), the one above it (1: the table
// in which that lies, 0: none), and its generation.
enum class Word : std::uint8_t {
    lock,
    mode,
    seen = mode + cpus,
    entry = seen + cpus,
    table = entry + spaces,
    generation = table + spaces
};
inline constexpr std::size_t words = static_cast<std::size_t>(Word::generation) + spaces;

struct Operation {
    enum class Kind : std::uint8_t {
        none, // the section has ended
        load,
        store,
        fence,
        take_lock, // 1: it was free
        own,       // what the CPU knows of itself: its space
        load_space,
        forget,
        interrupt,
        copy,        // the kernel reads the program's page
        free,        // the frame `value` of space `word`
        run,         // the program runs; ends with an interrupt (1) or as it goes on (0)
        run_ever,    // ends with interrupts only
        stand_still, // the kernel does, with interrupts on
    } kind = Kind::none;
    std::uint8_t word = 0, value = 0;
};

struct History {
    std::array<std::uint8_t, 40> results;
    std::uint8_t length;
};

// The policy of the model: a CPU in one section.
class Replay {
public:
    using Space = std::uint8_t; // 1 ...
    using Other = std::uint8_t;

    Replay(std::uint8_t self, Mutation mutation, History& history)
        : self_(self), mutation_(mutation), history_(history) {}
    [[nodiscard]] Operation next() const { return next_; }

    void set_mode(Mode mode, protocol::Place place);
    void fence(protocol::Place place);
    template <typename Meanwhile> void take_lock(Meanwhile meanwhile) {
        const std::uint8_t start = at_;
        if (perform({Operation::Kind::take_lock, 0, 0}) != 0) {
            took_lock();
            return;
        }
        meanwhile(*this);
        again(start);
    }
    void drop_lock();
    Space space() { return perform({Operation::Kind::own, 0, 0}); }
    void load_space(Space space);
    std::uint64_t generation(Space space, protocol::Place place);
    void count_up(Space space);
    std::uint64_t seen() { return load(Word::seen, self_); }
    void set_seen(std::uint64_t value);
    void forget_all(std::uint64_t generation);
    Mode mode_of(Other other) { return static_cast<Mode>(load(Word::mode, other)); }
    std::uint64_t seen_by(Other other) { return load(Word::seen, other); }
    Space space_of(Other other) { return perform({Operation::Kind::own, other, 1}); }
    void interrupt(Other other);
    template <typename F> void for_each_other(F f) {
        for (Other other = 0; other < cpus; ++other)
            if (other != self_)
                f(other);
    }
    template <typename Condition> void wait_until(Condition condition) {
        const std::uint8_t start = at_;
        if (mutation_ != Mutation::no_wait && !condition())
            again(start);
    }

    // What programs and their kernel do between the protocol's steps.
    void program(bool for_ever); // until it calls the kernel
    void copy() { perform({Operation::Kind::copy, 0, 0}); }
    // What it shows, and frees it, with its table if there is nothing else in it.
    void unmap(Space space, protocol::Freed freed);
    void map(Space space, std::uint8_t frame) { store(Word::entry, space - 1, frame); }
    void stand_still(Mode meanwhile);

private:
    // The result of an operation, or 0 for the first that has none and all behind it.
    std::uint8_t perform(Operation operation);
    void took_lock();
    std::uint8_t load(Word first, int number);
    void store(Word first, int number, std::uint64_t value);
    void again(std::uint8_t start); // forgets the results from there on, for a loop without memory

    std::uint8_t self_;
    Mutation mutation_;
    History& history_;
    std::uint8_t at_ = 0;
    bool stopped_ = false, has_changed_space_ = false;
    protocol::Place last_place_ = protocol::Place::flush; // of set_mode
    Operation next_;
};

using Section = std::function<void(Replay&)>;
using Programs = std::array<std::vector<Section>, cpus>;

struct Scenario {
    std::string_view name;
    Programs programs;
    std::array<std::uint8_t, cpus> first_spaces;
    bool frees_a_table = false;
};

struct Outcome {
    bool stale_access =
        false;          // a program or a copy of the kernel reached a frame that was freed, or a walk a table
    bool stuck = false; // from some state on the CPUs cannot all come to their ends
    std::size_t states = 0;
    std::string how; // the steps to the first fault
    [[nodiscard]] bool is_sound() const { return !stale_access && !stuck; }
};

[[nodiscard]] Outcome explore(const Scenario& scenario, Mutation mutation);
[[nodiscard]] const std::vector<Scenario>& scenarios();

} // namespace uk::mm::model
