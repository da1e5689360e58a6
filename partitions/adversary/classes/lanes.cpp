// SPDX-License-Identifier: Apache-2.0
// partitions/adversary/classes/lanes.cpp - memory that one end writes and the other reads: the wrong rights, the wrong numbers,
// rings without end. Link 0 is a wire, link 1, where there is one, writes one way, to the witness. Nobody listens.
#include "partitions/adversary/attack.hpp"

#include <array>

namespace attack {
namespace {

constexpr std::uint64_t ring_call = CAISSON_CALL_LANE_RING, listen_call = CAISSON_CALL_LANE_LISTEN,
                        state_call = CAISSON_CALL_LANE_STATE;
constexpr std::uint64_t wide = std::uint64_t{1} << 32, all_ones = ~std::uint64_t{0};

const caisson_link& link_at(std::uint64_t number) {
    return guest::boot_page().links[number];
}
std::uint64_t links() {
    return guest::boot_page().link_count;
}
// Behind the last lane of all.
std::uint64_t lanes_end() {
    std::uint64_t end = 0;
    for (std::uint64_t i = 0; i < links(); ++i)
        for (const std::uint64_t gpa : {link_at(i).send_gpa, link_at(i).receive_gpa})
            end = gpa != 0 && gpa + link_at(i).lane_bytes > end ? gpa + link_at(i).lane_bytes : end;
    return end;
}

Verdict write_read_lane(std::uint64_t offset, std::uint64_t) {
    return write_at(link_at(0).receive_gpa + offset, 0);
}
Verdict exchange_read_lane(std::uint64_t, std::uint64_t) {
    return attempt([] {
        __atomic_exchange_n(reinterpret_cast<std::uint32_t*>(link_at(0).receive_gpa), 1u, __ATOMIC_SEQ_CST);
    });
}
// Its last bytes are the first of the other lane's.
Verdict write_across(std::uint64_t, std::uint64_t) {
    const std::uint64_t between =
        link_at(0).send_gpa > link_at(0).receive_gpa ? link_at(0).send_gpa : link_at(0).receive_gpa;
    return attempt([=] { *reinterpret_cast<volatile std::uint64_t*>(between - 4) = ~std::uint64_t{0}; });
}
Verdict read_behind(std::uint64_t distance, std::uint64_t) {
    return read_at(lanes_end() + distance, 0);
}
Verdict write_behind(std::uint64_t distance, std::uint64_t) {
    return write_at(lanes_end() + distance, 0);
}
Verdict run_lane(std::uint64_t own, std::uint64_t) {
    const std::uint64_t at = own != 0 ? link_at(0).send_gpa + 8192 : link_at(0).receive_gpa;
    if (own != 0)
        *reinterpret_cast<volatile unsigned char*>(at) = 0xC3; // RET
    return attempt([=] { reinterpret_cast<void (*)()>(at)(); });
}
Verdict range_in_lane(std::uint64_t call, std::uint64_t own) {
    return hypercall(call, own != 0 ? link_at(0).send_gpa : link_at(0).receive_gpa, 16);
}
Verdict call_link(std::uint64_t call, std::uint64_t link) {
    return hypercall(call, link, 0);
}
Verdict call_no_link(std::uint64_t call, std::uint64_t distance) {
    return hypercall(call, links() + distance, 0);
}
Verdict listen(std::uint64_t vector, std::uint64_t vcpu) {
    return guest::call(listen_call, 0, vector, vcpu).value < 0 ? Verdict::error : Verdict::granted;
}
Verdict from_ring3(std::uint64_t call, std::uint64_t) {
    static std::uint64_t wanted = 0;
    wanted = call;
    return attempt([] {
        in_ring3([] {
            guest::call(wanted, 0, 0);
            for (;;)
                cpu::pause();
        });
    });
}
// The witness says whether one of them came.
Verdict rings_without_end(std::uint64_t count, std::uint64_t) {
    for (std::uint64_t i = 0; i < count; ++i)
        if (guest::call(ring_call, i % links()).value != 0)
            return Verdict::granted;
    return Verdict::contained;
}
Verdict listens_without_end(std::uint64_t count, std::uint64_t) {
    for (std::uint64_t i = 0; i < count; ++i)
        if (guest::call(listen_call, 0, i % 2 == 0 ? 0x60 : 0, 0).value != 0)
            return Verdict::granted;
    return Verdict::contained;
}
Verdict one_way_tells_nothing(std::uint64_t, std::uint64_t) {
    return link_at(1).receive_gpa == 0 && guest::call(state_call, 1).value == 0 ? Verdict::harmless
                                                                                : Verdict::granted;
}
bool lanes_were_zero = false;
Verdict lane_is_zero(std::uint64_t, std::uint64_t) {
    return lanes_were_zero ? Verdict::harmless : Verdict::granted;
}

bool has_one_way() {
    return links() > 1;
}

constexpr Expected ud_privilege{Verdict::ud, Audit::hypercall_privilege};

constexpr std::array<Case, 34> cases{{
    {"lane-is-zero", Verdict::harmless, lane_is_zero},
    {"lane-is-zero-again", Verdict::harmless, lane_is_zero},
    {"one-way-tells-nothing", Verdict::harmless, one_way_tells_nothing, 0, 0, has_one_way},
    {"rings-without-end", Verdict::contained, rings_without_end, 20'000},
    {"listens-without-end", Verdict::contained, listens_without_end, 5'000},
    {"write-what-is-read", stopped_npf, write_read_lane, 0},
    {"write-the-ring-that-is-read", stopped_npf, write_read_lane, CAISSON_LANE_HEADER_BYTES + 64},
    {"exchange-what-is-read", stopped_npf, exchange_read_lane},
    {"write-across-two-lanes", stopped_npf, write_across},
    {"read-behind-lanes", stopped_npf, read_behind, 0},
    {"read-far-behind-lanes", stopped_npf, read_behind, 0x200000},
    {"write-behind-lanes", stopped_npf, write_behind, 0},
    {"read-before-lanes", stopped_npf, read_at, CAISSON_GPA_LANES - 4},
    {"write-at-the-lanes-end", stopped_npf, write_at, CAISSON_GPA_LANES_END - 4},
    {"run-own-lane", stopped_npf, run_lane, 1},
    {"run-what-is-read", stopped_npf, run_lane, 0},
    {"console-from-own-lane", bad_argument, range_in_lane, CAISSON_CALL_CONSOLE_WRITE, 1},
    {"console-from-what-is-read", bad_argument, range_in_lane, CAISSON_CALL_CONSOLE_WRITE, 0},
    {"audit-from-own-lane", bad_argument, range_in_lane, CAISSON_CALL_AUDIT, 1},
    {"ring-no-link", bad_argument, call_no_link, ring_call, 0},
    {"ring-link-33-bit", bad_argument, call_link, ring_call, wide},
    {"ring-link-negative", bad_argument, call_link, ring_call, all_ones},
    {"listen-no-link", bad_argument, call_no_link, listen_call, 0},
    {"state-no-link", bad_argument, call_no_link, state_call, 0},
    {"state-far-link", bad_argument, call_no_link, state_call, CAISSON_LINK_MAX},
    {"state-link-33-bit", bad_argument, call_link, state_call, wide},
    {"listen-as-nmi", bad_argument, listen, 2, 0},
    {"listen-as-page-fault", bad_argument, listen, 14, 0},
    {"listen-vector-31", bad_argument, listen, 31, 0},
    {"listen-vector-256", bad_argument, listen, 256, 0},
    {"listen-vector-33-bit", bad_argument, listen, wide | 0x60, 0},
    {"listen-vcpu-64", bad_argument, listen, 0x60, 64},
    {"listen-vcpu-33-bit", bad_argument, listen, 0x60, wide},
    {"ring-from-ring-3", ud_privilege, from_ring3, ring_call},
}};

} // namespace

std::span<const Case> lane_cases() {
    return links() != 0 ? std::span<const Case>{cases} : std::span<const Case>{};
}

// At the start of a life: nothing of the last one's, which is left full.
void look_at_lanes() {
    lanes_were_zero = true;
    for (std::uint64_t i = 0; i < links(); ++i) {
        auto* const words = reinterpret_cast<std::uint64_t*>(link_at(i).send_gpa);
        for (std::uint64_t word = 0; word < link_at(i).lane_bytes / 8; ++word) {
            lanes_were_zero = lanes_were_zero && words[word] == 0;
            words[word] = all_ones;
        }
    }
}

} // namespace attack
