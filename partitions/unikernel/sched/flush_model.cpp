// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/sched/flush_model.cpp - see flush_model.hpp.
#include "partitions/unikernel/sched/flush_model.hpp"

#include <algorithm>
#include <cstring>
#include <deque>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace uk::sched::model {

namespace {

constexpr std::size_t cpus_most = 3, spaces_most = 2, buffer_most = 6;

enum class Word : std::uint8_t {
    lock,
    mode0,
    mode1,
    mode2,
    seen0,
    seen1,
    seen2,
    entry0,
    entry1,
    count0,
    count1
};
constexpr std::size_t words = 11;
enum : std::uint8_t { kernel = 0, user = 1 }; // modes

Word of(Word first, unsigned number) {
    return static_cast<Word>(static_cast<unsigned>(first) + number);
}

enum class Step : std::uint8_t {
    in_program,
    say_kernel,
    take_lock,
    flush_on_entry,
    copy, // the kernel reads the program's memory
    go_to_other_space,
    change,
    count_up,
    look_at_modes,
    wait_for_others,
    free_frame,
    drop_lock,
    say_user,
    look_again,
    ended,
};
constexpr std::string_view step_names[] = {
    "program enters", "mode = kernel",  "takes the lock", "flush on entry", "copy",
    "other space",    "change",         "generation",     "look at modes",  "waited",
    "free",           "drops the lock", "mode = user",    "looks again",    "ended"};

struct Store {
    Word word;
    std::uint8_t value;
};

struct Cpu {
    std::array<Store, buffer_most> buffer;
    std::uint8_t stores, step, place; // place in its list of steps
    std::uint8_t space, cached, known, interrupt,
        awaited; // cached: a translation; known: generation it flushed at
};

struct State {
    std::array<std::uint8_t, words> memory;
    std::array<std::uint8_t, spaces_most> freed;
    std::array<std::uint8_t, cpus_most> spaces; // as others see it; changes under the lock only
    std::array<Cpu, cpus_most> cpu;
};

using Program = std::vector<Step>;

void add_call(Program& program, Mutation mutation, std::initializer_list<Step> body) {
    program.push_back(Step::in_program);
    if (mutation == Mutation::mode_after_the_lock)
        program.insert(program.end(), {Step::take_lock, Step::say_kernel});
    else
        program.insert(program.end(), {Step::say_kernel, Step::take_lock});
    if (mutation != Mutation::no_flush_on_the_way_in)
        program.push_back(Step::flush_on_entry);
    program.insert(program.end(), body);
    if (mutation == Mutation::lock_dropped_last)
        program.insert(program.end(), {Step::say_user, Step::drop_lock});
    else
        program.insert(program.end(), {Step::drop_lock, Step::say_user});
    if (mutation != Mutation::no_look_on_the_way_out)
        program.push_back(Step::look_again);
}

void add_unmap(Program& program, Mutation mutation, bool elsewhere) {
    std::vector<Step> steps;
    if (elsewhere)
        steps.push_back(Step::go_to_other_space);
    if (mutation == Mutation::generation_before_the_change)
        steps.insert(steps.end(), {Step::count_up, Step::look_at_modes, Step::wait_for_others, Step::change});
    else
        steps.insert(steps.end(), {Step::change, Step::count_up, Step::look_at_modes, Step::wait_for_others});
    if (mutation == Mutation::no_wait)
        std::erase(steps, Step::wait_for_others);
    steps.push_back(Step::free_frame);
    Program call;
    add_call(call, mutation, {Step::copy});
    const auto at = std::find(call.begin(), call.end(), Step::copy);
    program.insert(program.end(), call.begin(), at);
    program.insert(program.end(), steps.begin(), steps.end());
    program.insert(program.end(), at + 1, call.end());
}

class Explorer {
public:
    Explorer(unsigned cpus, unsigned spaces, Mutation mutation) : cpus_(cpus), mutation_(mutation) {
        add_unmap(programs_[0], mutation, false);
        const bool two = spaces > 1;
        for (int round = 0; round < 2; ++round) {
            if (two)
                add_call(programs_[1], mutation, {Step::copy, Step::go_to_other_space});
            else
                add_call(programs_[1], mutation, {Step::copy});
        }
        if (two)
            add_unmap(programs_[2], mutation, true);
        else
            add_call(programs_[2], mutation, {Step::copy});
        for (Program& program : programs_)
            program.push_back(Step::ended);
    }

    Outcome run() {
        State first;
        std::memset(&first, 0, sizeof(first));
        for (unsigned i = 0; i < cpus_most; ++i)
            first.memory[static_cast<std::size_t>(of(Word::mode0, i))] = user;
        first.memory[static_cast<std::size_t>(Word::entry0)] =
            first.memory[static_cast<std::size_t>(Word::entry1)] = 1;
        visit(first, "", ~std::size_t{0});
        for (std::size_t at = 0; at < found_.size() && !faulty(); ++at)
            expand(at);
        outcome_.states = found_.size();
        return outcome_;
    }

private:
    [[nodiscard]] bool faulty() const { return outcome_.stale_access || outcome_.stuck; }

    void visit(const State& state, std::string_view what, std::size_t from) {
        std::string key(sizeof(State), '\0');
        std::memcpy(key.data(), &state, sizeof(State));
        if (known_.emplace(std::move(key), found_.size()).second)
            found_.push_back({state, std::string{what}, from});
    }

    void fault(std::size_t at, std::string_view what) {
        outcome_.how = std::string{what};
        for (; at != ~std::size_t{0}; at = found_[at].from)
            outcome_.how = found_[at].what + "; " + outcome_.how;
    }

    static std::uint8_t load(const State& state, const Cpu& cpu, Word word) {
        for (unsigned i = cpu.stores; i-- > 0;)
            if (cpu.buffer[i].word == word)
                return cpu.buffer[i].value;
        return state.memory[static_cast<std::size_t>(word)];
    }
    static void store(Cpu& cpu, Word word, std::uint8_t value) { cpu.buffer[cpu.stores++] = {word, value}; }
    static void flush(State& state, Cpu& cpu, unsigned self) {
        cpu.cached = 0;
        cpu.known = load(state, cpu, of(Word::count0, cpu.space));
        store(cpu, of(Word::seen0, self), cpu.known);
    }

    // An access to the program's memory. False: the frame is not its any more.
    static bool touch(const State& state, Cpu& cpu) {
        if (cpu.cached == 0 && load(state, cpu, of(Word::entry0, cpu.space)) == 0)
            return true; // a page fault
        cpu.cached = 1;
        return state.freed[cpu.space] == 0;
    }

    void expand(std::size_t at) {
        const State state = found_[at].state;
        bool goes_on = false, all_ended = true;
        for (unsigned i = 0; i < cpus_; ++i) {
            const Cpu& cpu = state.cpu[i];
            const std::string name = "CPU " + std::to_string(i) + " ";
            const Step step = programs_[i][cpu.place];
            all_ended = all_ended && step == Step::ended && cpu.stores == 0;
            if (cpu.stores > 0) {
                State next = state;
                Cpu& mine = next.cpu[i];
                next.memory[static_cast<std::size_t>(mine.buffer[0].word)] = mine.buffer[0].value;
                std::move(mine.buffer.begin() + 1, mine.buffer.end(), mine.buffer.begin());
                mine.buffer.back() = {};
                --mine.stores;
                visit(next, name + "stores", at);
                goes_on = true;
            }
            if (step == Step::in_program || step == Step::ended) {
                State next = state;
                if (!touch(next, next.cpu[i])) {
                    outcome_.stale_access = true;
                    fault(at, name + "reaches a freed frame");
                    return;
                }
                visit(next, name + "touches", at);
                if (cpu.interrupt != 0 && cpu.stores + 1u < buffer_most) {
                    next = state;
                    next.cpu[i].interrupt = 0;
                    flush(next, next.cpu[i], i);
                    visit(next, name + "is interrupted", at);
                    goes_on = true;
                }
            }
            State next = state;
            if (cpu.stores + 2u < buffer_most && step != Step::ended && execute(next, i, step)) {
                ++next.cpu[i].place;
                if (outcome_.stale_access) {
                    fault(at, name + "reaches a freed frame in the kernel");
                    return;
                }
                visit(next, name + std::string{step_names[static_cast<std::size_t>(step)]}, at);
                goes_on = true;
            }
        }
        if (!goes_on && !all_ended) {
            outcome_.stuck = true;
            fault(at, "nobody can go on");
        }
    }

    // False: it cannot be taken now.
    bool execute(State& state, unsigned self, Step step) {
        Cpu& cpu = state.cpu[self];
        const auto fenced = [&](Mutation without) { return cpu.stores == 0 || mutation_ == without; };
        switch (step) {
        case Step::in_program:
        case Step::ended:
            return true;
        case Step::say_kernel:
            store(cpu, of(Word::mode0, self), kernel);
            return true;
        case Step::take_lock: // a locked instruction
            if (cpu.stores > 0 || state.memory[0] != 0)
                return false;
            state.memory[0] = 1;
            return true;
        case Step::flush_on_entry:
            if (load(state, cpu, of(Word::count0, cpu.space)) != cpu.known)
                flush(state, cpu, self);
            return true;
        case Step::copy:
            outcome_.stale_access = outcome_.stale_access || !touch(state, cpu);
            return true;
        case Step::go_to_other_space:
            cpu.space ^= 1;
            state.spaces[self] = cpu.space;
            flush(state, cpu, self);
            return true;
        case Step::change:
            store(cpu, of(Word::entry0, cpu.space), 0);
            return true;
        case Step::count_up:
            store(cpu, of(Word::count0, cpu.space),
                  static_cast<std::uint8_t>(load(state, cpu, of(Word::count0, cpu.space)) + 1));
            return true;
        case Step::look_at_modes:
            if (!fenced(Mutation::no_fence_after_the_change))
                return false;
            flush(state, cpu, self); // its own
            for (unsigned i = 0; i < cpus_; ++i)
                if (i != self && load(state, cpu, of(Word::mode0, i)) == user &&
                    state.spaces[i] == cpu.space) {
                    cpu.awaited = static_cast<std::uint8_t>(cpu.awaited | 1u << i);
                    if (mutation_ != Mutation::no_interrupt)
                        state.cpu[i].interrupt = 1;
                }
            return true;
        case Step::wait_for_others:
            for (unsigned i = 0; i < cpus_; ++i)
                if ((cpu.awaited >> i & 1) != 0 && load(state, cpu, of(Word::mode0, i)) == user &&
                    load(state, cpu, of(Word::seen0, i)) != load(state, cpu, of(Word::count0, cpu.space)))
                    return false;
            cpu.awaited = 0;
            return true;
        case Step::free_frame:
            state.freed[cpu.space] = 1;
            cpu.awaited = 0;
            return true;
        case Step::drop_lock:
            store(cpu, Word::lock, 0);
            return true;
        case Step::say_user:
            store(cpu, of(Word::mode0, self), user);
            return true;
        case Step::look_again:
            if (!fenced(Mutation::no_fence_on_the_way_out))
                return false;
            if (load(state, cpu, of(Word::count0, cpu.space)) != cpu.known)
                flush(state, cpu, self);
            return true;
        }
        return false;
    }

    struct Found {
        State state;
        std::string what;
        std::size_t from;
    };
    unsigned cpus_;
    Mutation mutation_;
    std::array<Program, cpus_most> programs_;
    std::deque<Found> found_;
    std::unordered_map<std::string, std::size_t> known_;
    Outcome outcome_;
};

} // namespace

Outcome explore(unsigned cpus, unsigned spaces, Mutation mutation) {
    return Explorer{cpus, spaces, mutation}.run();
}

} // namespace uk::sched::model
