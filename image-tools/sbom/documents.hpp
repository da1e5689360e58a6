// SPDX-License-Identifier: Apache-2.0
// image-tools/sbom/documents.hpp - what a bundle holds, as documents that other tools read: SPDX 2.3 and CycloneDX 1.5 and 1.6.
//
// Invariants: the same bundle gives the same bytes: identifiers follow from plan and meta, times are its build epoch.
// Spec:       SPDX 2.3, clauses 6-11; CycloneDX 1.5, 1.6 (JSON).
#pragma once

#include "image-tools/sbom/package.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace sbom {

// A part that no package manager knows: ours, or a user's kernel.
struct Component {
    std::string name, version;
    std::string licence;  // SPDX
    std::string supplier; // who makes it
    std::string sha256{}; // of its bytes, where it is a file
    std::string purl{};
};

struct PartitionBill {
    std::string name;
    std::string image, digest; // empty: it has a kernel of its own
    std::vector<Component> own;
    Inventory inventory;
};

struct Bill {
    std::string name, version; // the appliance's
    std::string id;            // SHA-256 of plan and meta, which names images by digest
    std::uint64_t time = 0;    // seconds since 1970
    std::string tool_version;
    std::vector<Component> own; // of all partitions: the hypervisor
    std::vector<PartitionBill> partitions;
    bool merged = true; // false: the one partition alone is the subject
};

// A UUID (RFC 9562) that follows from the text: of version 8, or of 5 where a format asks for that.
std::string uuid_of_text(std::string_view text, char version = '8');

std::string spdx(const Bill& bill);
std::string cyclonedx(const Bill& bill, std::string_view version = "1.5"); // or "1.6"

} // namespace sbom
