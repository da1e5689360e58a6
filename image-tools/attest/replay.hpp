// SPDX-License-Identifier: Apache-2.0
// image-tools/attest/replay.hpp - does a log's list of measurements lead where a bundle's prediction says?
//
// The log is hostile: an event counts only with the digests that its own descriptor has.
#pragma once

#include "image-tools/attest/prediction.hpp"

namespace attest {

struct Replay {
    std::size_t events = 0;
    std::vector<std::string> banks;    // that the machine's TPM extended, in its order
    std::vector<std::string> findings; // what is not as predicted; empty: all of it is
};

// The last boot of an audit log (lines of JSON as `run --audit` writes them).
Replay replay(std::string_view log, const std::vector<Event>& predicted);

} // namespace attest
