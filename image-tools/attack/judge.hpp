// SPDX-License-Identifier: Apache-2.0
// image-tools/attack/judge.hpp - what the adversary saw, what the witness noticed and what the hypervisor recorded, as one
// verdict a case.
//
// Pure. Trust:  the adversary's lines say what it expects before it tries; they are a guest's and cut to size here. An
//               exit record, an audit record and a fault of the line are the hypervisor's.
// Invariants:   I1  a case that was listed and has no result has failed
//               I2  whatever the witness or the line suffered counts against every case that ran since its last report
// Spec:         partitions/adversary/runner.cpp, witness.cpp and random.cpp (the lines), partitions/abi/console.h.
#pragma once

#include "image-tools/run/session.hpp"

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace attack {

inline constexpr std::string_view hostile_name = "attack-hostile", witness_name = "attack-witness";

struct Item {
    std::string name, group, vendor;
    std::string verdict, expected;
    std::string audit; // the record found: "refused msr"; "none"
    bool passed = false;
};

class Judge {
public:
    // The places of the two partitions in the plan.
    Judge(std::size_t hostile, std::size_t witness) : hostile_(hostile), witness_(witness) {}
    Judge(const Judge&) = delete;
    Judge& operator=(const Judge&) = delete;
    // For the session that watch() then names.
    [[nodiscard]] run::Listener listener();
    void watch(const run::Session& session) { session_ = &session; }

    // The adversary has ended, or has done so many random steps, and the witness has spoken since.
    [[nodiscard]] bool enough(std::uint64_t random_steps);

    // One item a case, in the order of the table. `failure`: why the machine itself failed, or empty.
    [[nodiscard]] std::vector<Item> items(const std::string& failure);
    // The random guest's one item.
    [[nodiscard]] Item random_item(const std::string& failure, std::uint64_t seed, std::uint64_t wanted);

    [[nodiscard]] std::uint64_t random_steps() const;
    [[nodiscard]] std::uint64_t witness_reports() const { return reports_; }
    // How late an interrupt of the witness was at most, in turns of its loop.
    [[nodiscard]] std::uint64_t latest() const { return latest_; }

private:
    struct Case {
        Item item;
        std::string wanted_audit; // "msr"; "none"
        bool tried = false;
        std::uint64_t generation = 0;
        std::string aim;     // the requester and the address that a unit's record must name; empty: any
        std::string saw;     // empty: never came back
        std::string trouble; // what others suffered meanwhile
    };

    void hostile_line(std::string_view line, std::uint64_t generation);
    void witness_line(std::string_view line);
    void audit_record(std::string_view record);
    void look_for_false_ends();
    void look_for_crossing(std::string_view bytes, unsigned stream);
    void blame(const std::string& what);
    void finish(Case& one);

    std::string hostile_rest_, witness_rest_, vendor_ = "svm";
    std::size_t hostile_, witness_;
    const run::Session* session_ = nullptr;
    std::map<unsigned, Case> cases_;
    std::set<unsigned> since_report_; // cases that ran since the witness's last report
    std::size_t listed_ = 0;          // as the table's head says
    bool ended_in_order_ = false;
    std::string random_trouble_;
    std::map<std::uint64_t, std::uint64_t> steps_; // by generation
    // generation -> detail -> event
    std::map<std::uint64_t, std::map<std::string, std::string, std::less<>>> audit_;
    std::map<std::uint64_t, std::string> units_said_; // by generation: the first refused access, as Case::aim
    unsigned trying_ = 0;                             // the case that was tried last
    unsigned crossed_ = 0;                            // letters of the other stream, one after the other
    bool false_end_seen_ = false;
    std::uint64_t reports_ = 0, latest_ = 0, reports_at_end_ = 0;
    bool end_seen_ = false;
};

} // namespace attack
