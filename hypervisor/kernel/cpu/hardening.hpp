// SPDX-License-Identifier: Apache-2.0
// hypervisor/kernel/cpu/hardening.hpp - the processor's protections: CR4's, and those against its own weaknesses, as
// core/vcpu/hardening decides them.
//
// A CPU serves one partition for ever, so what separates partitions on a CPU is what separates a partition's lives.
#pragma once

#include <cstdint>

namespace hv {

// CR4 with every protection that this CPU offers.
[[nodiscard]] std::uint64_t protections();
// Boot CPU: finds out, and says in the log what is used and what stays exposed.
void find_hardening();
// Each CPU, once. False: it has not what the boot CPU has (another stepping, other microcode), or does not take it.
[[nodiscard]] bool harden_this_cpu();
// Between two lives: branch predictions of the former one are gone; the speculation controls are the next one's.
void separate_lives(bool no_store_bypass);
// Before a guest is entered after anything but the quick answers, which touch nothing of others: buffers and L1.
void before_entry();

} // namespace hv
