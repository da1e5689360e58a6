// SPDX-License-Identifier: Apache-2.0
// image-tools/scan/osv.hpp - a folder of OSV records: which packages have which weakness, in which versions.
//
// Trust:  the folder is the user's; a file that cannot be read is named and counted, never taken for "nothing known".
// Spec:   OSV schema 1.6; CVSS 3.1, 7.1 (base score).
#pragma once

#include "image-tools/scan/version.hpp"

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace scan {

enum class Severity : std::uint8_t { unknown, low, medium, high, critical };
std::string_view word(Severity severity);

struct Event {
    enum class Kind : std::uint8_t { introduced, fixed, last_affected, limit };
    Kind kind{};
    std::string version;
};

// One `affected` of a record.
struct Affected {
    std::size_t record = 0;
    std::string release; // of the ecosystem: "12"; empty: all of them
    Scheme scheme{};
    std::vector<std::vector<Event>> ranges;
    std::vector<std::string> versions;
    Severity severity{};

    [[nodiscard]] bool holds(std::string_view version) const;
    // The first version that is not affected any more; empty: none is known.
    [[nodiscard]] std::string fixed_after(std::string_view version) const;
};

struct Record {
    std::string id, summary, modified;
    std::vector<std::string> aliases;
    Severity severity{};
};

class Advisories {
public:
    // Every *.json below the folder. Throws E0601 where there is none.
    static Advisories load(const std::filesystem::path& folder);

    // One record's text. Throws diagnostic::Failure where it is no OSV.
    void add(std::string_view text, const std::string& name);

    [[nodiscard]] const std::vector<Affected>* of(const std::string& ecosystem,
                                                  const std::string& name) const;
    [[nodiscard]] const Record& record(std::size_t index) const { return records_[index]; }
    [[nodiscard]] std::size_t size() const { return records_.size(); }
    [[nodiscard]] bool knows(const std::string& ecosystem) const { return ecosystems_.contains(ecosystem); }
    [[nodiscard]] const std::string& newest() const { return newest_; } // "2026-11-01T12:00:00Z", or empty
    [[nodiscard]] const std::vector<std::string>& unreadable() const { return unreadable_; }
    // Ecosystems whose versions have no order here: only lists of versions count there.
    [[nodiscard]] const std::set<std::string>& unordered() const { return unordered_; }

private:
    std::vector<Record> records_;
    std::map<std::pair<std::string, std::string>, std::vector<Affected>> affected_;
    std::set<std::string> ecosystems_, unordered_;
    std::vector<std::string> unreadable_;
    std::string newest_;
};

// Of a CVSS 3.0 or 3.1 vector; nothing where it is none.
std::optional<double> cvss3_score(std::string_view vector);

} // namespace scan
