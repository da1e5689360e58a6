// SPDX-License-Identifier: Apache-2.0
// image-tools/journal/verifier.hpp - is a log what the hypervisor wrote? Line by line, with the first wrong record named.
//
// Chain and MACs by the hypervisor's own definition (hypervisor/core/audit/log.hpp).
// Trust:      every line is hostile; the operator's private key is only asked for key 0.
// Invariants: a log with any record changed, removed, added or moved has a finding, and the first one names the place;
//             a log that ends without a closing record has one.
#pragma once

#include "image-tools/journal/line.hpp"

#include <functional>

namespace journal {

struct Finding {
    std::uint64_t line = 0;   // in the file, from 1
    std::uint64_t record = 0; // the sequence number that belongs there
    bool truncated = false;   // the end of a log is missing
    std::string what;
};

// One boot.
struct Boot {
    std::uint64_t first_line = 0, records = 0, lost = 0;
    bool closed = false;
    bool sealed = false;   // its records carry MACs
    bool anchored = false; // and they have been checked
    std::string name, version, bundle, nonce, operator_key, reason;
    audit::Hash first{}, last{};
};

// Key 0 from `sealed`, if the operator's key is the one that is named.
using Unseal =
    std::function<std::optional<audit::Key>(const audit::Key& sealed, const audit::Key& operator_key)>;

class Verifier {
public:
    // Without `unseal` MACs are not checked; with it a log without MACs is wrong.
    explicit Verifier(Unseal unseal) : unseal_(std::move(unseal)) {}

    void line(std::string_view text);
    void record(const Record& record); // a line that has been read
    void end();

    [[nodiscard]] const std::vector<Finding>& findings() const { return findings_; }
    [[nodiscard]] const std::vector<Boot>& boots() const { return boots_; }
    // Of a key that is not the log's: no finding of the log.
    [[nodiscard]] bool other_key() const { return other_key_; }

private:
    void begin(const Record& record);
    void take(const Record& record);
    void next_line();
    void check_place(const Record& record);
    void check_chain(const Record& record);
    void check_mac(const Record& record);
    void find(std::string what, bool truncated = false);

    Unseal unseal_;
    std::vector<Finding> findings_;
    std::vector<Boot> boots_;
    std::uint64_t line_ = 0, expected_ = 0;
    // Of the record before: as it says, and as its text gives; either may be the changed half. Nothing: unknown.
    std::optional<audit::Hash> said_ = audit::Hash{}, computed_ = audit::Hash{};
    std::optional<audit::Key> key_;
    std::uint64_t key_number_ = 0;
    bool found_ = false; // in this line
    bool other_key_ = false;
};

} // namespace journal
