// SPDX-License-Identifier: Apache-2.0
// partitions/lane/wake_test.cpp - the wake-up of lane.h as a model under x86-TSO: every interleaving of a writer, a reader and
// their store buffers.
//
// What the model does not say of the code: that the code is this. Its steps have the names of the functions in lane.h.
#include <array>
#include <compare>
#include <gtest/gtest.h>
#include <set>
#include <vector>

namespace {

// Which of the protocol's precautions are left out.
struct Without {
    bool writer_fence = false, reader_fence = false, second_look = false, look_after_listening = false;
    bool unconditional_ring = false;
};

enum Variable : signed char { head, life, wish, peer_life, variables }; // two of each end
constexpr signed char never = 100;
constexpr signed char packets = 2;

struct Store {
    signed char to = 0, value = 0;
    auto operator<=>(const Store&) const = default;
};
using Buffer = std::vector<Store>;

struct State {
    std::array<signed char, variables> memory{0, 1, 0, 0};
    Buffer writer_buffer, reader_buffer;
    signed char writer_at = 0, sent = 0, looked = 0, seen_life = 0, seen_wish = 0;
    signed char reader_at = 0, position = 0, seen_head = 0;
    signed char attached = 0; // the writer's life that is read; 0: none
    signed char writer_life = 1, reader_life = 1;
    bool opened = true;
    bool listening = false, pending = false;
    auto operator<=>(const State&) const = default;
};

signed char load(const State& s, const Buffer& buffer, Variable from) {
    for (auto store = buffer.rbegin(); store != buffer.rend(); ++store)
        if (store->to == from)
            return store->value;
    return s.memory[static_cast<std::size_t>(from)];
}

class Model {
public:
    enum class Restart { none, reader, writer };
    Model(Without without, Restart restart) : without_(without), restart_(restart) {}

    // A state in which the reader sleeps for ever though there is something to read.
    bool loses_a_wake_up() {
        std::vector<State> open{State{}};
        seen_.insert(open[0]);
        while (!open.empty()) {
            const State state = open.back();
            open.pop_back();
            const std::vector<State> next = steps(state);
            if (next.empty() && (state.position != packets || state.attached != state.writer_life))
                return true;
            for (const State& one : next)
                if (seen_.insert(one).second)
                    open.push_back(one);
        }
        return false;
    }
    [[nodiscard]] std::size_t states() const { return seen_.size(); }

private:
    std::vector<State> steps(const State& s) {
        std::vector<State> out;
        const auto drain = [&](Buffer State::*which) {
            if ((s.*which).empty())
                return;
            State n = s;
            const Store store = (n.*which).front();
            (n.*which).erase((n.*which).begin());
            n.memory[static_cast<std::size_t>(store.to)] = store.value;
            out.push_back(n);
        };
        drain(&State::writer_buffer);
        drain(&State::reader_buffer);
        writer(s, out);
        reader(s, out);
        // The hypervisor: after its last store, silent, its header cleared; a writer's peer is rung.
        if (restart_ == Restart::reader && s.reader_life == 1) {
            State n = s;
            n.reader_life = 2;
            n.reader_buffer.clear();
            n.memory[wish] = n.memory[peer_life] = 0;
            n.listening = n.pending = false;
            n.reader_at = n.attached = n.position = 0;
            out.push_back(n);
        }
        if (restart_ == Restart::writer && s.writer_life == 1) {
            State n = s;
            n.writer_life = 2;
            n.opened = false;
            n.writer_buffer.clear();
            n.memory[head] = n.memory[life] = 0;
            n.writer_at = n.sent = n.looked = 0;
            n.pending = n.pending || n.listening;
            out.push_back(n);
        }
        return out;
    }

    // caisson_end_publish(), caisson_end_flush(), for each packet.
    void writer(const State& s, std::vector<State>& out) const {
        State n = s;
        switch (s.writer_at) {
        case 0:
            if (s.sent == packets)
                return;
            if (!s.opened)
                n.writer_buffer.push_back({life, s.writer_life});
            n.opened = true;
            n.writer_buffer.push_back({head, ++n.sent});
            n.writer_at = without_.writer_fence ? 2 : 1;
            break;
        case 1:
            if (!s.writer_buffer.empty())
                return;
            n.writer_at = 2;
            break;
        case 2:
            n.seen_life = load(s, s.writer_buffer, peer_life);
            n.writer_at = 3;
            break;
        case 3:
            n.seen_wish = load(s, s.writer_buffer, wish);
            n.writer_at = 4;
            break;
        default: // the hypercall lets the buffer run dry before it
            const bool mine = s.seen_life == s.writer_life || without_.unconditional_ring;
            const bool void_wish = !mine;
            const bool passed = mine && s.looked <= s.seen_wish && s.seen_wish < s.sent;
            if ((void_wish || passed) && !s.writer_buffer.empty())
                return;
            if ((void_wish || passed) && s.listening)
                n.pending = true;
            n.looked = s.sent;
            n.writer_at = 0;
            break;
        }
        out.push_back(n);
    }

    // caisson_end_look() for the first time, caisson_end_receive(), caisson_end_arm(), LANE_LISTEN, caisson_end_arm().
    void reader(const State& s, std::vector<State>& out) const {
        State n = s;
        switch (s.reader_at) {
        case 0: // attaches: a second life of its own begins where the writer is
            n.attached = load(s, s.reader_buffer, life);
            n.reader_at = 2;
            if (n.attached == 0)
                break;
            n.position = s.reader_life == 1 || s.writer_life == 2 ? 0 : load(s, s.reader_buffer, head);
            n.reader_buffer.push_back({wish, never});
            n.reader_buffer.push_back({peer_life, n.attached});
            n.reader_at = 1;
            break;
        case 1: // receives all that is there
            if (load(s, s.reader_buffer, life) != s.attached) {
                n.reader_buffer.push_back({peer_life, 0});
                n.reader_at = n.attached = 0;
                break;
            }
            n.reader_at = 7;
            break;
        case 7:
            n.seen_head = load(s, s.reader_buffer, head);
            n.reader_at = n.seen_head < s.position ? 0 : n.seen_head == s.position ? 2 : 1;
            n.position = n.seen_head;
            break;
        case 2: // arms
            n.reader_buffer.push_back({wish, s.position});
            n.reader_at = without_.reader_fence ? 4 : 3;
            break;
        case 3:
            if (!s.reader_buffer.empty())
                return;
            n.reader_at = 4;
            break;
        case 4: // looks again
            n.reader_at = s.listening ? 6 : 5;
            if (without_.second_look)
                break;
            if (load(s, s.reader_buffer, life) != s.attached)
                n.reader_at = 0;
            else if (s.attached != 0 && load(s, s.reader_buffer, head) != s.position)
                n.reader_at = 1;
            break;
        case 5: // the hypercall, behind its own stores
            if (!s.reader_buffer.empty())
                return;
            n.listening = true;
            n.reader_at = without_.look_after_listening ? 6 : 2;
            break;
        default: // sleeps
            if (!s.pending)
                return;
            n.pending = false;
            n.reader_at = 1;
            break;
        }
        out.push_back(n);
    }

    Without without_;
    Restart restart_;
    std::set<State> seen_;
};

using Restart = Model::Restart;

TEST(Wake, NoneIsLost) {
    for (const Restart restart : {Restart::none, Restart::reader, Restart::writer}) {
        Model model{{}, restart};
        EXPECT_FALSE(model.loses_a_wake_up()) << static_cast<int>(restart);
        EXPECT_GT(model.states(), 1000u);
    }
}

TEST(Wake, EveryPrecautionIsNeeded) {
    EXPECT_TRUE((Model{{.writer_fence = true}, Restart::none}.loses_a_wake_up()));
    EXPECT_TRUE((Model{{.reader_fence = true}, Restart::none}.loses_a_wake_up()));
    EXPECT_TRUE((Model{{.second_look = true}, Restart::none}.loses_a_wake_up()));
    EXPECT_TRUE((Model{{.look_after_listening = true}, Restart::none}.loses_a_wake_up()));
    EXPECT_TRUE((Model{{.unconditional_ring = true}, Restart::writer}.loses_a_wake_up()));
}

} // namespace
