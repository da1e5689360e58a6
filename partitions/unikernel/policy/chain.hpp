// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/policy/chain.hpp - the filters of a thread, the newest first (seccomp(2)).
//
// A thread's chain only grows; children share what their parent had. Which calls every filter allows whatever
// their arguments are is worked out when a filter is added, so those cost one bit.
#pragma once

#include "partitions/unikernel/base/ref.hpp"
#include "partitions/unikernel/policy/filter.hpp"

namespace uk::policy {

struct Chain {
    static constexpr std::uint32_t calls = 512; // numbers from here on are always asked about

    std::uint32_t references = 0;
    std::uint32_t count = 0;
    std::uint32_t total = 0; // instructions of all filters, as Linux counts them
    bool logs = false;       // SECCOMP_FILTER_FLAG_LOG; the partition's own policy does
    bool records = false;    // SECCOMP_RET_LOG is for the record of calls (recorder.hpp), not a denial
    bool strict = false;     // SECCOMP_MODE_STRICT: no filter at all
    Ref<Chain> older;
    std::array<std::uint64_t, calls / 64> allowed{};

    [[nodiscard]] bool allows(std::uint64_t number) const {
        return number < calls && (allowed[number / 64] >> number % 64 & 1) != 0;
    }
    [[nodiscard]] std::span<Instruction> program() {
        return {reinterpret_cast<Instruction*>(this + 1), count};
    }
    [[nodiscard]] std::span<const Instruction> program() const {
        return {reinterpret_cast<const Instruction*>(this + 1), count};
    }
};
void retain(Chain& chain);
void release(Chain& chain);

// `program` before `older`. Errors: inval (no filter), nomem (or too many instructions in all).
[[nodiscard]] Result<Ref<Chain>> extend(Ref<Chain> older, std::span<const Instruction> program);
// read, write, exit and rt_sigreturn, and nothing else.
[[nodiscard]] Result<Ref<Chain>> make_strict();
// The strictest of what the filters say, and who says so; of two who say the same the newer.
struct Verdict {
    std::uint32_t value;
    const Chain* by;
};
[[nodiscard]] Verdict verdict(const Chain& chain, const CallData& data);
// Is `older` the chain or a part of it?
[[nodiscard]] bool contains(const Chain* chain, const Chain* older);

} // namespace uk::policy
