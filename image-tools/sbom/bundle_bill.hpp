// SPDX-License-Identifier: Apache-2.0
// image-tools/sbom/bundle_bill.hpp - the bill of a bundle, from the bundle alone.
#pragma once

#include "image-tools/bundle/verify.hpp"
#include "image-tools/files/range.hpp"
#include "image-tools/sbom/documents.hpp"

namespace sbom {

// `only`: that partition alone; empty: all. Whether the bundle is to be believed was asked before, or was not. Throws E0103
// (no such partition), E0432 (a root image that cannot be read).
Bill bill_of(const files::FileRange& file, const bundle::BundleSummary& summary, const std::string& only);

// Of one root image; `name` is for messages. Throws E0432.
Inventory inventory_of(const files::FileRange& root, const std::string& name);

} // namespace sbom
