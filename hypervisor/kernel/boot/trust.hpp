// SPDX-License-Identifier: Apache-2.0
// hypervisor/kernel/boot/trust.hpp - nothing runs unverified: the boot CPU verifies header and table, every CPU its share
// of the payloads, and all wait for each other before the first partition starts.
#pragma once

#include "hypervisor/core/bundle/issue.hpp"
#include "hypervisor/core/bundle/keys.hpp"

namespace hv {

struct Cpu;

[[gnu::section(".caisson.keys")]] extern const bundle::KeyTable trusted_keys;

// Boot CPU, early tables: header, leaf lists, gaps and the plan, from private copies. Refuses the bundle or returns.
void verify_header_and_plan();

// Each CPU, own tables: its own partition's sections, and its share of those that are nobody's.
[[nodiscard]] bundle::Status verify_share(const Cpu& cpu);

// One line that names section and leaf; does not return.
[[noreturn]] void refuse_bundle(const bundle::Issue& issue);

} // namespace hv
