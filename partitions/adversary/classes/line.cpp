// SPDX-License-Identifier: Apache-2.0
// partitions/adversary/classes/line.cpp - the serial line as a weapon: streams that there are none of, output in every
// pattern, notes that would fill the audit log. The witness must not notice, and the reader of the line finds no damage.
#include "partitions/abi/console.h"
#include "partitions/adversary/attack.hpp"

#include <array>
#include <bit>

namespace attack {
namespace {

alignas(4096) std::array<char, 4096> page;
constexpr std::uint64_t write_stream = CAISSON_CALL_CONSOLE_WRITE_STREAM;

std::uint64_t address() {
    return std::bit_cast<std::uint64_t>(page.data());
}
void fill(char what) {
    page.fill(what);
    for (std::size_t i = 127; i < page.size(); i += 128)
        page[i] = '\n';
}

Verdict stream(std::uint64_t number, std::uint64_t bytes) {
    fill('s');
    const auto answer = guest::call(write_stream, address(), bytes, number).value;
    return answer == -CAISSON_ERROR_ARGUMENT ? Verdict::error
           : answer < 0                      ? Verdict::ignored
                                             : Verdict::granted;
}
// What a stream is filled with: the judge knows it on the other one (image-tools/attack/judge.cpp).
constexpr std::array<char, 2> own_letter{'o', 'e'};

// Writes the page; how many bytes were taken. `whole`: all of them, unless the line takes nothing for very long.
std::uint64_t write_page(std::uint64_t stream, bool whole) {
    constexpr unsigned patience = 100'000;
    std::uint64_t taken = 0;
    unsigned in_vain = 0;
    do {
        const auto more = static_cast<std::uint64_t>(
            guest::call(write_stream, address() + taken, page.size() - taken, 1 + stream).value);
        in_vain = more == 0 ? in_vain + 1 : 0;
        taken += more;
    } while (whole && taken < page.size() && in_vain < patience);
    return taken;
}
// Pages, as the pattern says: bit n of it is the stream of the n-th. `what` 0: each stream's own letter. The first of each stream
// goes out whole, however full the cases before left the ring, so that there is always something for the reader to notice.
Verdict pages(std::uint64_t pattern, std::uint64_t what) {
    constexpr unsigned whole_pages = 2;
    Verdict seen = Verdict::contained;
    for (unsigned i = 0; i < 64; ++i) {
        const std::uint64_t stream = pattern >> i & 1;
        fill(what != 0 ? static_cast<char>(what) : own_letter[stream]);
        if (write_page(stream, i < whole_pages) != page.size() && i < whole_pages)
            seen = Verdict::ignored;
    }
    return seen;
}
// Pieces of `bytes`, each of the other stream.
Verdict pieces(std::uint64_t bytes, std::uint64_t) {
    for (unsigned i = 0; i < 2000; ++i) {
        fill(own_letter[i & 1]);
        (void)guest::call(write_stream, address() + i % 1024, bytes, 1 + (i & 1));
    }
    return Verdict::contained;
}
// More than the ring holds, never a line's end: what is held back is sent all the same, or nothing more would be taken.
Verdict half_lines(std::uint64_t, std::uint64_t) {
    constexpr unsigned patience = 10'000;
    unsigned in_vain = 0;
    for (unsigned i = 0; i < 2 * patience && in_vain < patience; ++i)
        in_vain = guest::call(CAISSON_CALL_CONSOLE_PUT, 'h', 1).value == 0 ? in_vain + 1 : 0;
    return in_vain < patience ? Verdict::contained : Verdict::ignored;
}
// As long as they may be, and more than a second's budget of them.
Verdict notes(std::uint64_t what, std::uint64_t count) {
    fill(static_cast<char>(what));
    Verdict seen = Verdict::granted;
    for (std::uint64_t i = 0; i < count; ++i)
        if (guest::call(CAISSON_CALL_AUDIT, address(), 256).value == -CAISSON_ERROR_RATE)
            seen = Verdict::error;
    return seen;
}

constexpr Expected over_budget{Verdict::error, Audit::hypercall_rate};
constexpr std::uint64_t both = 0xAAAAAAAAAAAAAAAA;
constexpr std::array<Case, 15> cases{{
    {"stream-zero", bad_argument, stream, 0, 16},
    {"stream-three", bad_argument, stream, 3, 16},
    {"stream-high-bits", bad_argument, stream, std::uint64_t{1} << 32 | 1, 16},
    {"stream-all-ones", bad_argument, stream, ~std::uint64_t{0}, 16},
    {"too-much", bad_argument, stream, 2, 4097},
    {"pages-of-output", Verdict::contained, pages, 0, 0},
    {"pages-of-errors", Verdict::contained, pages, ~std::uint64_t{0}, 0},
    {"pages-of-both", Verdict::contained, pages, both, 0},
    {"pages-of-frame-starts", Verdict::contained, pages, both, CAISSON_FRAME_START},
    {"pages-of-escapes", Verdict::contained, pages, both, CAISSON_FRAME_ESCAPE},
    {"bytes-of-both", Verdict::contained, pieces, 1},
    {"pieces-across-the-ring", Verdict::contained, pieces, 333},
    {"nothing", bad_argument, stream, 2, 0},
    {"half-lines", Verdict::contained, half_lines},
    {"notes", over_budget, notes, '%', 40},
}};

} // namespace

std::span<const Case> line_cases() {
    return cases;
}

} // namespace attack
