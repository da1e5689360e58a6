// SPDX-License-Identifier: Apache-2.0
// hypervisor/core/audit/seal.hpp - the audit log's first key, sealed to the operator (log.hpp has the scheme).
//
// Pure.
#pragma once

#include "hypervisor/core/audit/log.hpp"

#include <optional>

namespace audit {

struct Seal {
    Key sealed{};    // for the first record
    Key first_key{}; // for the log
};
// Nothing when the operator's key is none (a point of small order).
[[nodiscard]] std::optional<Seal> seal(const Key& secret, const Key& operator_key);
// Key 0 from what both sides know: the hypervisor has it from its secret, the operator from the private key.
[[nodiscard]] Key first_key(const Key& shared, const Key& sealed, const Key& operator_key);

} // namespace audit
