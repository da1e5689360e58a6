// SPDX-License-Identifier: Apache-2.0
// image-tools/attest/prediction.hpp - the events that a loader will measure of a bundle, and the PCRs that follow.
//
// Spec: TCG TPM 2.0 Library part 1, section 17.3: extending a PCR.
#pragma once

#include "image-tools/bundle/verify.hpp"

#include <array>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace attest {

struct Event {
    std::uint32_t pcr = 0;
    std::string descriptor; // what is hashed, by every bank
};

// Of a bundle that these keys accept and a loader of that build. Throws what bundle::verify throws.
std::vector<Event> predict(const bytes::Source& bundle, const bundle::KeyTable& keys,
                           const std::string& build, const std::string& name);

// Banks as TPMs name them.
inline constexpr std::array<std::string_view, 4> banks{"sha1", "sha256", "sha384", "sha512"};

// The hash of `text` by that bank.
std::string digest(std::string_view bank, std::string_view text);

// PCRs after all events, each from zero on.
std::map<std::uint32_t, std::string> pcrs_after(const std::vector<Event>& events, std::string_view bank);

} // namespace attest
