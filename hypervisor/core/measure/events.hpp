// SPDX-License-Identifier: Apache-2.0
// hypervisor/core/measure/events.hpp - what is measured of a bundle into a TPM: descriptors, each with the PCR it goes to.
//
// A descriptor is one line of ASCII, at most 1,024 bytes as TPM2_PCR_Event takes them; the TPM hashes it by every bank it has. In order:
//   PCR 13  caisson/1 bundle NAME VERSION security=N id=HEX           the signed header, which names every byte of the bundle
//   PCR 12  caisson/1 loader build=ID key=HEX slot=N floor=N development=0|1 keys=HEX
//                                                          the key that the bundle was accepted by; SHA-256 of the whole key table
//   PCR 11  caisson/1 partition NAME sha256=HEX            one a partition, in the plan's order
// A partition's hash covers its record in the plan, its root image, and all that is loaded into its memory; not where any of it
// lies in the bundle, so that a change of one partition changes no other's event.
//
// Pure.
// Invariants: the same bundle, keys and build give the same bytes, in the tool as on the machine.
// Spec:       PCR numbers as UKIs use them: UAPI Group, "Linux TPM PCR Registry" (11 what runs, 12 configuration, 13 its package).
#pragma once

#include "hypervisor/base/text.hpp"
#include "hypervisor/core/bundle/verify.hpp"
#include "hypervisor/core/plan/plan.hpp"

#include <cstdint>
#include <string_view>

namespace measure {

struct Event {
    std::uint32_t pcr = 0;
    base::Text<384> text;
};

// All of it verified: the header's signature, the table, the plan in it.
struct Subject {
    const bundle::Contents& contents;
    const plan::Plan& plan;
    const bundle::Signer& signer;
    const bundle::KeyTable& keys;
    std::string_view build; // of the loader
    crypto::Sha256Engine engine;
};

[[nodiscard]] std::uint32_t event_count(const Subject& subject);
// index < event_count()
[[nodiscard]] Event event(const Subject& subject, std::uint32_t index);

} // namespace measure
