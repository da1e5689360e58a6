// SPDX-License-Identifier: Apache-2.0
// image-tools/admission/judge.hpp - what policies say of a plan.
//
// Invariants: the same plan, policies and day give the same verdict. A rule that cannot be evaluated is not met.
#pragma once

#include "image-tools/admission/policy.hpp"

#include "image-tools/cel/value.hpp"
#include "image-tools/files/digest.hpp"

#include <string>
#include <vector>

namespace admission {

// A rule that somebody answers for not keeping, until a day ("2027-01-31", that day included).
struct Exception {
    std::string rule, partition; // no partition: all of them
    std::string owner, reason, expires;
};

// Policies as they are used: with an action of their own, or the user's.
struct Use {
    Policy policy;
    std::vector<Exception> exceptions;
};

struct Finding {
    const Policy* policy = nullptr;
    const Rule* rule = nullptr;
    std::string partition; // of a rule for each
    std::string message;
    bool failed = false; // it could not be evaluated
    const Exception* exception = nullptr;
    bool expired = false; // there was one
    [[nodiscard]] Action action() const { return policy->action; }
    [[nodiscard]] bool denies() const { return action() == Action::deny && exception == nullptr; }
};

struct Verdict {
    std::vector<Finding> findings;      // rules that are not met
    std::size_t rules = 0;              // that were asked
    std::vector<const Policy*> skipped; // a condition of theirs does not hold
    [[nodiscard]] bool denied() const;
    [[nodiscard]] bool unmet() const;    // something is not met for which nobody answers
    [[nodiscard]] bool excepted() const; // somebody answers for something
};

// Of the policies in use, in the order of their names: SHA-256 over "NAME DIGEST\n" of each. Their actions are not part of it.
files::Digest set_digest(const std::vector<Use>& uses);

// `today` as "2026-11-30". The verdict points into `uses`.
Verdict judge(const std::vector<Use>& uses, const cel::Value& plan, const std::string& today);

} // namespace admission
