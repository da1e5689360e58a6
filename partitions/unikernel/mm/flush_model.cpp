// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/mm/flush_model.cpp - see flush_model.hpp.
#include "partitions/unikernel/mm/flush_model.hpp"

#include "hypervisor/base/fail.hpp"

#include <algorithm>
#include <cstring>
#include <unordered_map>
#include <utility>

namespace uk::mm::model {

namespace {

using Kind = Operation::Kind;
using protocol::Place;

constexpr std::size_t buffer_most = 8;
constexpr std::uint8_t table_frame = 0; // the bit of a space's table in `freed`

constexpr std::string_view kind_names[] = {"ended", "load",    "store",   "fence",      "lock",
                                           "own",   "space",   "forget",  "send",       "copy",
                                           "free",  "program", "program", "stand still"};

struct Store {
    std::uint8_t word, value;
};

struct Cpu {
    std::array<Store, buffer_most> buffer;
    History history; // of the section
    Operation next;  // never one that others cannot notice
    std::uint8_t stores, section, space, interrupt;
    std::uint8_t cached; // the frame that a translation shows, 0: none
    std::uint8_t walked; // 1: it remembers where the table is
};

struct State {
    std::array<std::uint8_t, words> memory;
    std::array<std::uint8_t, spaces> freed; // a bit a frame
    std::array<Cpu, cpus> cpu;
};

std::uint8_t place_of(Word first, int number) {
    return static_cast<std::uint8_t>(static_cast<int>(first) + number);
}

bool shows_a_freed_frame(const State& state, const Cpu& cpu) {
    return cpu.space != 0 && cpu.cached != 0 && (state.freed[cpu.space - 1u] >> cpu.cached & 1) != 0;
}

bool walks_a_freed_table(const State& state, const Cpu& cpu) {
    return cpu.space != 0 && cpu.walked != 0 && (state.freed[cpu.space - 1u] >> table_frame & 1) != 0;
}

void forget(Cpu& cpu) {
    cpu.cached = cpu.walked = 0;
}

class Explorer {
public:
    Explorer(const Scenario& scenario, Mutation mutation) : scenario_(scenario), mutation_(mutation) {}

    Outcome run() {
        State first{};
        for (std::uint8_t i = 0; i < cpus; ++i) {
            first.memory[place_of(Word::mode, i)] = static_cast<std::uint8_t>(Mode::user);
            first.cpu[i].space = scenario_.first_spaces[i];
        }
        for (int i = 0; i < static_cast<int>(spaces); ++i)
            first.memory[place_of(Word::entry, i)] = first.memory[place_of(Word::table, i)] = 1;
        for (std::uint8_t i = 0; i < cpus; ++i)
            go_on(first, i);
        visit(first, 0, 0, "");
        for (std::size_t at = 0; at < found_.size() && !outcome_.stale_access; ++at)
            expand(at);
        outcome_.states = found_.size();
        if (!outcome_.stale_access)
            look_for_ends();
        return outcome_;
    }

private:
    struct Found {
        const std::string* state;
        std::size_t from;
        std::uint8_t cpu;
        std::string_view what;
    };

    // Takes every step that no other CPU can notice, so that the next is one that it can.
    void go_on(State& state, std::uint8_t self) {
        Cpu& cpu = state.cpu[self];
        for (;;) {
            const std::uint8_t before = cpu.history.length;
            Replay replay{self, mutation_, cpu.history};
            scenario_.programs[self][cpu.section](replay);
            cpu.next = replay.next();
            if (cpu.next.kind == Kind::none) {
                if (cpu.history.length < before)
                    continue; // a loop goes round
                cpu.history = {};
                ++cpu.section;
            } else if (std::uint8_t result = 0; take_alone(state, self, result)) {
                note(cpu, result);
            } else {
                return;
            }
        }
    }

    static void note(Cpu& cpu, std::uint8_t result) {
        base::expects(cpu.history.length < cpu.history.results.size(), "flush model: a section is too long");
        cpu.history.results[cpu.history.length++] = result;
    }

    static bool take_alone(State& state, std::uint8_t self, std::uint8_t& result) {
        Cpu& cpu = state.cpu[self];
        const Operation step = cpu.next;
        switch (step.kind) {
        case Kind::store: // into the buffer
            base::expects(cpu.stores < buffer_most, "flush model: the store buffer is full");
            cpu.buffer[cpu.stores++] = {step.word, step.value};
            return true;
        case Kind::load:
            result = load(state, cpu, step.word);
            return step.word == place_of(Word::seen, self); // nobody else writes it
        case Kind::own: // changes under the lock only, which who asks for another's holds
            result = state.cpu[step.value == 0 ? self : step.word].space;
            return true;
        case Kind::load_space:
            cpu.space = step.value;
            forget(cpu);
            return true;
        case Kind::forget:
            forget(cpu);
            return true;
        default:
            return false;
        }
    }

    static std::uint8_t load(const State& state, const Cpu& cpu, std::uint8_t word) {
        for (unsigned i = cpu.stores; i-- > 0;)
            if (cpu.buffer[i].word == word)
                return cpu.buffer[i].value;
        return state.memory[word];
    }

    void visit(const State& state, std::size_t from, std::uint8_t self, std::string_view what) {
        std::string key(sizeof(State), '\0');
        std::memcpy(key.data(), &state, sizeof(State));
        const auto [at, is_new] = numbers_.emplace(std::move(key), found_.size());
        if (is_new)
            found_.push_back({&at->first, from, self, what});
        edges_.emplace_back(static_cast<std::uint32_t>(from), static_cast<std::uint32_t>(at->second));
        for (const Cpu& cpu : state.cpu)
            if ((cpu.next.kind == Kind::run || cpu.next.kind == Kind::run_ever) &&
                shows_a_freed_frame(state, cpu))
                is_stale(at->second, "a program reaches a freed frame");
            else if (walks_a_freed_table(state, cpu))
                is_stale(at->second, "a CPU walks through a freed table");
    }

    void is_stale(std::size_t at, std::string_view what) {
        if (outcome_.stale_access)
            return;
        outcome_.stale_access = true;
        outcome_.how = steps_to(at) + std::string{what};
    }

    [[nodiscard]] std::string steps_to(std::size_t at) const {
        std::string steps;
        for (; at != 0; at = found_[at].from)
            steps = std::to_string(found_[at].cpu) + " " + std::string{found_[at].what} + "; " + steps;
        return steps;
    }

    // CPU `self` takes its next step with this result.
    void take(const State& before, std::size_t at, std::uint8_t self, std::uint8_t result) {
        State state = before;
        Cpu& cpu = state.cpu[self];
        const std::string_view what = kind_names[static_cast<std::size_t>(cpu.next.kind)];
        note(cpu, result);
        go_on(state, self);
        visit(state, at, self, what);
    }

    void expand(std::size_t at) {
        State state;
        std::memcpy(&state, found_[at].state->data(), sizeof(State));
        for (std::uint8_t i = 0; i < cpus; ++i) {
            const Cpu& cpu = state.cpu[i];
            if (cpu.stores > 0)
                drain(state, at, i);
            if (State next = state; walk(next, next.cpu[i]))
                visit(next, at, i, "remembers");
            step(state, at, i);
        }
    }

    // The CPU walks its tables when it likes, from the top or from the one that it remembers. False: it learns nothing new.
    [[nodiscard]] bool walk(const State& state, Cpu& cpu) const {
        if (cpu.space == 0 || (cpu.walked == 0 && state.memory[place_of(Word::table, cpu.space - 1)] == 0))
            return false;
        const Cpu before = cpu;
        cpu.walked = scenario_.frees_a_table ? 1 : 0; // elsewhere it makes no difference
        if (cpu.cached == 0)
            cpu.cached = state.memory[place_of(Word::entry, cpu.space - 1)];
        return cpu.walked != before.walked || cpu.cached != before.cached;
    }

    void drain(State state, std::size_t at, std::uint8_t self) {
        Cpu& cpu = state.cpu[self];
        state.memory[cpu.buffer[0].word] = cpu.buffer[0].value;
        std::move(cpu.buffer.begin() + 1, cpu.buffer.end(), cpu.buffer.begin());
        cpu.buffer.back() = {};
        --cpu.stores;
        visit(state, at, self, "stores");
    }

    void step(State state, std::size_t at, std::uint8_t self) {
        Cpu& cpu = state.cpu[self];
        const Operation next = cpu.next;
        switch (next.kind) {
        case Kind::load:
            take(state, at, self, load(state, cpu, next.word));
            return;
        case Kind::fence:
            if (cpu.stores == 0)
                take(state, at, self, 0);
            return;
        case Kind::take_lock: // a locked instruction
            if (cpu.stores > 0)
                return;
            take(state, at, self, std::exchange(state.memory[place_of(Word::lock, 0)], 1) == 0 ? 1 : 0);
            return;
        case Kind::interrupt:
            state.cpu[next.value].interrupt = 1;
            break;
        case Kind::copy:
            (void)walk(state, cpu); // a page fault where there is nothing
            if (shows_a_freed_frame(state, cpu))
                is_stale(at, "the kernel copies from a freed frame");
            break;
        case Kind::free:
            state.freed[next.word] = static_cast<std::uint8_t>(state.freed[next.word] | 1u << next.value);
            break;
        case Kind::run:
        case Kind::run_ever:
        case Kind::stand_still:
            if (next.kind != Kind::run_ever)
                take(state, at, self, 0);
            if (cpu.interrupt == 0)
                return;
            cpu.interrupt = 0;
            take(state, at, self, 1);
            return;
        default:
            base::fail("flush model: a step that nobody can notice", "", 0);
        }
        take(state, at, self, 0);
    }

    static bool has_ended(const State& state) {
        return std::all_of(state.cpu.begin(), state.cpu.end(),
                           [](const Cpu& cpu) { return cpu.next.kind == Kind::run_ever && cpu.stores == 0; });
    }

    // From every state there must be a way to one in which all have ended.
    void look_for_ends() {
        std::vector<std::vector<std::uint32_t>> into(found_.size());
        for (const auto& [from, to] : edges_)
            into[to].push_back(from);
        std::vector<bool> reaches(found_.size(), false);
        std::vector<std::uint32_t> left;
        State state;
        for (std::uint32_t at = 0; at < found_.size(); ++at) {
            std::memcpy(&state, found_[at].state->data(), sizeof(State));
            if (has_ended(state)) {
                reaches[at] = true;
                left.push_back(at);
            }
        }
        while (!left.empty()) {
            const std::uint32_t at = left.back();
            left.pop_back();
            for (const std::uint32_t from : into[at])
                if (!reaches[from]) {
                    reaches[from] = true;
                    left.push_back(from);
                }
        }
        const auto stuck = std::find(reaches.begin(), reaches.end(), false);
        if (stuck == reaches.end())
            return;
        outcome_.stuck = true;
        outcome_.how = steps_to(static_cast<std::size_t>(stuck - reaches.begin())) + "no way to the end";
    }

    const Scenario& scenario_;
    Mutation mutation_;
    std::unordered_map<std::string, std::size_t> numbers_;
    std::vector<Found> found_;
    std::vector<std::pair<std::uint32_t, std::uint32_t>> edges_;
    Outcome outcome_;
};

} // namespace

std::uint8_t Replay::perform(Operation operation) {
    if (stopped_)
        return 0;
    if (at_ < history_.length)
        return history_.results[at_++];
    next_ = operation;
    stopped_ = true;
    return 0;
}

std::uint8_t Replay::load(Word first, int number) {
    return perform({Kind::load, place_of(first, number), 0});
}

void Replay::store(Word first, int number, std::uint64_t value) {
    perform({Kind::store, place_of(first, number), static_cast<std::uint8_t>(value)});
}

void Replay::again(std::uint8_t start) {
    if (stopped_)
        return;
    stopped_ = true;
    std::fill(history_.results.begin() + start, history_.results.end(), std::uint8_t{0});
    history_.length = start;
}

void Replay::set_mode(Mode mode, Place place) {
    last_place_ = place;
    if ((place == Place::way_in && mutation_ == Mutation::no_mode_on_the_way_in) ||
        (place == Place::way_out && mutation_ == Mutation::no_mode_on_the_way_out))
        return;
    if (place == Place::way_in && mutation_ == Mutation::mode_after_the_lock)
        return;
    store(Word::mode, self_, static_cast<std::uint64_t>(mode));
    if (place == Place::way_out && mutation_ == Mutation::lock_dropped_last)
        store(Word::lock, 0, 0);
}

void Replay::fence(Place place) {
    if ((place == Place::way_out && mutation_ == Mutation::no_fence_on_the_way_out) ||
        (place == Place::flush && mutation_ == Mutation::no_fence_after_the_change))
        return;
    perform({Kind::fence, 0, 0});
}

void Replay::took_lock() {
    if (mutation_ == Mutation::mode_after_the_lock && last_place_ == Place::way_in)
        store(Word::mode, self_, static_cast<std::uint64_t>(Mode::kernel));
}

void Replay::drop_lock() {
    if (mutation_ == Mutation::lock_dropped_last && last_place_ != Place::stood_still)
        return;
    store(Word::lock, 0, 0);
}

void Replay::load_space(Space space) {
    perform({Kind::load_space, 0, space});
    has_changed_space_ = true;
}

std::uint64_t Replay::generation(Space space, Place place) {
    constexpr std::pair<Place, Mutation> looks[] = {
        {Place::way_in, Mutation::no_look_on_the_way_in},
        {Place::waiting, Mutation::no_look_while_waiting},
        {Place::way_out, Mutation::no_look_on_the_way_out},
        {Place::stood_still, Mutation::no_look_after_standing_still},
        {Place::interrupt, Mutation::no_look_in_the_interrupt}};
    for (const auto& [at, mutation] : looks)
        if (place == at && mutation_ == mutation)
            return seen();
    if (place != Place::flush && mutation_ == Mutation::generation_read_late)
        perform({Kind::forget, 0, 0});
    return load(Word::generation, space - 1);
}

void Replay::count_up(Space space) {
    if (mutation_ != Mutation::no_generation)
        store(Word::generation, space - 1, load(Word::generation, space - 1) + 1u);
}

void Replay::set_seen(std::uint64_t value) {
    if (mutation_ == Mutation::seen_not_set && std::exchange(has_changed_space_, false))
        return;
    store(Word::seen, self_, value);
}

void Replay::forget_all(std::uint64_t generation) {
    if (mutation_ != Mutation::generation_read_late)
        perform({Kind::forget, 0, 0});
    set_seen(generation);
}

void Replay::interrupt(Other other) {
    if (mutation_ != Mutation::no_interrupt)
        perform({Kind::interrupt, 0, other});
}

void Replay::program(bool for_ever) {
    const std::uint8_t start = at_;
    if (perform({for_ever ? Kind::run_ever : Kind::run, 0, 0}) == 0)
        return;
    protocol::interrupted(*this);
    again(start);
}

void Replay::stand_still(Mode meanwhile) {
    protocol::stand_still(*this, meanwhile, [this] {
        const std::uint8_t start = at_;
        if (perform({Kind::stand_still, 0, 0}) == 0)
            return;
        protocol::interrupted(*this);
        again(start);
    });
}

void Replay::unmap(Space space, protocol::Freed freed) {
    const std::uint8_t frame = load(Word::entry, space - 1);
    if (frame == 0)
        return;
    const auto change = [&] {
        store(Word::entry, space - 1, 0);
        if (freed == protocol::Freed::tables)
            store(Word::table, space - 1, 0);
    };
    const auto free = [&] {
        perform({Kind::free, static_cast<std::uint8_t>(space - 1), frame});
        if (freed == protocol::Freed::tables)
            perform({Kind::free, static_cast<std::uint8_t>(space - 1), table_frame});
    };
    if (mutation_ != Mutation::flush_before_the_change)
        change();
    if (mutation_ == Mutation::free_before_the_flush)
        free();
    const bool weaker = mutation_ == Mutation::tables_freed_as_frames;
    protocol::flush(*this, space, weaker ? protocol::Freed::frames : freed, [this] {
        if (mutation_ != Mutation::no_own_forgetting)
            perform({Kind::forget, 0, 0});
    });
    if (mutation_ == Mutation::flush_before_the_change)
        change();
    if (mutation_ != Mutation::free_before_the_flush)
        free();
}

Outcome explore(const Scenario& scenario, Mutation mutation) {
    return Explorer{scenario, mutation}.run();
}

const std::vector<Scenario>& scenarios() {
    // The call of a program with its way in and out. A section a piece: histories stay short.
    const auto call = [](std::vector<Section> body) {
        std::vector<Section> all{[](Replay& cpu) { cpu.program(false); },
                                 [](Replay& cpu) { protocol::enter(cpu); }};
        all.insert(all.end(), body.begin(), body.end());
        all.emplace_back([](Replay& cpu) { protocol::leave(cpu); });
        return all;
    };
    const auto program = [](std::initializer_list<std::vector<Section>> calls) {
        std::vector<Section> all;
        for (const std::vector<Section>& one : calls)
            all.insert(all.end(), one.begin(), one.end());
        all.emplace_back([](Replay& cpu) { cpu.program(true); });
        return all;
    };
    const auto unmap = [](std::uint8_t space) {
        return Section{[=](Replay& cpu) { cpu.unmap(space, protocol::Freed::frames); }};
    };
    const Section unmap_all = [](Replay& cpu) { cpu.unmap(1, protocol::Freed::tables); };
    const auto go_to = [](std::uint8_t space) {
        return Section{[=](Replay& cpu) { protocol::change_space(cpu, space); }};
    };
    const auto still = [](Mode meanwhile) {
        return Section{[=](Replay& cpu) { cpu.stand_still(meanwhile); }};
    };
    const Section copy = [](Replay& cpu) { cpu.copy(); };
    const Section map = [](Replay& cpu) { cpu.map(1, 2); }; // another frame
    // The small ones first: what is missed is found in them sooner.
    static const std::vector<Scenario> all{
        {"a CPU idles on the kernel's tables",
         {program({call({unmap(1)})}), program({call({copy, go_to(0), still(Mode::idle), go_to(1), copy})}),
          program({call({go_to(0), still(Mode::idle), go_to(2), copy})})},
         {1, 1, 2}},
        {"a long call stands still",
         {program({call({unmap(1)})}), program({call({copy, still(Mode::kernel), copy})}),
          program({call({copy})})},
         {1, 1, 1}},
        {"a table goes with the last that was in it",
         {program({call({unmap_all})}), program({call({copy, still(Mode::kernel), go_to(2)})}),
          program({call({copy})})},
         {1, 1, 1},
         true},
        {"one changes a space that it does not run in",
         {program({call({copy})}), program({call({unmap(1)}), call({go_to(1), copy})}),
          program({call({copy, go_to(2)})})},
         {1, 2, 1}},
        {"a CPU goes over to another space and back",
         {program({call({unmap(1)})}), program({call({copy, go_to(2)}), call({copy, go_to(1)})}),
          program({call({go_to(2), unmap(2)})})},
         {1, 1, 1}},
        {"two unmap in the same space",
         {program({call({unmap(1), map})}), program({call({copy}), call({unmap(1)})}), program({})},
         {1, 1, 1}},
        {"threads of one process run, one unmaps twice",
         {program({call({unmap(1), map}), call({unmap(1)})}), program({call({copy})}), program({})},
         {1, 1, 1}},
    };
    return all;
}

} // namespace uk::mm::model
