// SPDX-License-Identifier: Apache-2.0
// hypervisor/kernel/boot/keys.cpp - the trust anchor as compiled: no key, so every bundle is refused. `caisson build` fills
// the table in a copy of the ELF. In a file of its own so that no reader of it can be compiled against its emptiness.
#include "hypervisor/kernel/boot/stages.hpp"

namespace hv {

[[gnu::used]] const bundle::KeyTable trusted_keys{
    .magic = bundle::key_table_magic,
    .count = bundle::key_slots,
    .entsize = sizeof(bundle::KeySlot),
    .reserved = {},
    .slots = {},
};

} // namespace hv
