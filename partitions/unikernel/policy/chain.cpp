// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/policy/chain.cpp - see chain.hpp.
#include "partitions/unikernel/policy/chain.hpp"

#include "partitions/unikernel/mm/heap.hpp"

#include <algorithm>

namespace uk::policy {

namespace {

constexpr std::uint32_t most_in_all = 32768, each_filter_costs = 4; // MAX_INSNS_PER_PATH

} // namespace

void retain(Chain& chain) {
    ++chain.references;
}

void release(Chain& chain) {
    // A chain can be long: a loop, not recursion.
    for (Chain* here = &chain; here != nullptr && --here->references == 0;) {
        Chain* const older = here->older.leak();
        mm::destroy(here);
        here = older;
    }
}

Result<Ref<Chain>> extend(Ref<Chain> older, std::span<const Instruction> program) {
    CAISSON_TRY(check(program));
    const auto count = static_cast<std::uint32_t>(program.size());
    const std::uint32_t total = count + (older ? older->total + each_filter_costs : 0);
    if (total > most_in_all)
        return base::Failure{Errno::nomem};
    void* memory = mm::allocate(sizeof(Chain) + program.size_bytes());
    if (memory == nullptr)
        return base::Failure{Errno::nomem};
    Ref<Chain> chain{std::construct_at(static_cast<Chain*>(memory))};
    chain->count = count;
    chain->total = total;
    std::copy(program.begin(), program.end(), chain->program().begin());
    for (std::uint32_t number = 0; number < Chain::calls; ++number)
        if ((!older || older->allows(number)) && always_allows(program, number))
            chain->allowed[number / 64] |= std::uint64_t{1} << number % 64;
    chain->older = std::move(older);
    return chain;
}

Result<Ref<Chain>> make_strict() {
    constexpr std::uint32_t read = 0, write = 1, signal_return = 15, exit = 60;
    Ref<Chain> chain{mm::make<Chain>()};
    if (!chain)
        return base::Failure{Errno::nomem};
    chain->strict = true;
    for (const std::uint32_t number : {read, write, signal_return, exit})
        chain->allowed[number / 64] |= std::uint64_t{1} << number % 64;
    return chain;
}

Verdict verdict(const Chain& chain, const CallData& data) {
    Verdict strictest{action::allow, &chain};
    for (const Chain* here = &chain; here != nullptr; here = here->older.get()) {
        const std::uint32_t said = here->strict ? action::kill_thread : run(here->program(), data);
        if (stricter(strictest.value, said) != strictest.value)
            strictest = {said, here};
    }
    return strictest;
}

bool contains(const Chain* chain, const Chain* older) {
    while (chain != nullptr && chain != older)
        chain = chain->older.get();
    return chain == older;
}

} // namespace uk::policy
