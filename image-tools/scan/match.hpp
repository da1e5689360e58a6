// SPDX-License-Identifier: Apache-2.0
// image-tools/scan/match.hpp - the packages of a bundle against the records of a database, and what VEX says of them.
#pragma once

#include "image-tools/sbom/documents.hpp"
#include "image-tools/scan/osv.hpp"

#include <string>
#include <vector>

namespace scan {

struct Finding {
    std::string partition;
    std::string purl, package, version, place;
    std::string id, summary;
    std::vector<std::string> aliases;
    Severity severity{};
    std::string fixed;   // the first version without it; empty: none is known
    std::string cleared; // why it does not count, by VEX; empty: it counts
};

struct Result {
    std::vector<Finding> findings; // by partition, severity (worst first), package, id
    // "web: apk packages: the database has nothing of Alpine": nothing found there means nothing.
    std::vector<std::string> blind;
};

// OpenVEX statements. Spec: OpenVEX 0.2.0.
class Vex {
public:
    // Throws E0434.
    void add(std::string_view text, const std::string& name);
    // Empty: nothing that clears it.
    [[nodiscard]] std::string clears(const Finding& finding) const;

private:
    struct Statement {
        std::string vulnerability, status, justification;
        std::vector<std::string> aliases, products;
    };
    std::vector<Statement> statements_;
};

Result match(const sbom::Bill& bill, const Advisories& advisories, const Vex& vex);

} // namespace scan
