// SPDX-License-Identifier: Apache-2.0
// hypervisor/core/vcpu/lifecycle.cpp - the transitions of a partition's life, as one table.
#include "hypervisor/core/vcpu/lifecycle.hpp"

#include <array>

namespace vcpu {
namespace {

struct Transition {
    PartitionState from;
    PartitionEvent event;
    PartitionState to;
};

constexpr std::array<Transition, 10> transitions{{
    {PartitionState::defined, PartitionEvent::loaded, PartitionState::running},
    {PartitionState::running, PartitionEvent::stop, PartitionState::stopping},
    {PartitionState::stopping, PartitionEvent::acknowledged, PartitionState::quiet},
    {PartitionState::quiet, PartitionEvent::sources_off, PartitionState::detached},
    {PartitionState::detached, PartitionEvent::apic_empty, PartitionState::drained},
    {PartitionState::drained, PartitionEvent::memory_scrubbed, PartitionState::scrubbed},
    {PartitionState::scrubbed, PartitionEvent::state_cleared, PartitionState::reset},
    {PartitionState::reset, PartitionEvent::restart, PartitionState::defined},
    {PartitionState::reset, PartitionEvent::finish, PartitionState::stopped},
    {PartitionState::reset, PartitionEvent::give_up, PartitionState::failed},
}};

} // namespace

std::optional<PartitionState> next(PartitionState state, PartitionEvent event) {
    for (const Transition& transition : transitions)
        if (transition.from == state && transition.event == event)
            return transition.to;
    return std::nullopt;
}

bool should_restart(RestartRule rule, std::uint32_t limit, std::uint64_t restarts, EndReason reason,
                    std::uint8_t status) {
    switch (rule) {
    case RestartRule::no:
        return false;
    case RestartRule::always:
        return true;
    case RestartRule::on_failure:
        if (reason == EndReason::exit && status == 0)
            return false;
        return limit == 0 || restarts < limit;
    }
    return false;
}

} // namespace vcpu
