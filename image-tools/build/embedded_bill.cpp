// SPDX-License-Identifier: Apache-2.0
// image-tools/build/embedded_bill.cpp - the bundle's `sbom` section.
#include "image-tools/build/embedded_bill.hpp"

#include "image-tools/build/build.hpp"
#include "image-tools/sbom/bundle_bill.hpp"

#include <algorithm>
#include <cstring>

namespace build {

std::string embedded_bill(const manifest::Manifest& manifest, const BundleContent& content,
                          const std::string& meta) {
    bundle::BundleSummary summary;
    const auto put = [](std::array<char, 32>& field, const std::string& text) {
        std::memcpy(field.data(), text.data(), std::min(text.size(), field.size() - 1));
    };
    put(summary.header.name, manifest.name);
    put(summary.header.version, manifest.version);
    summary.header.build_epoch = static_cast<std::uint64_t>(source_date_epoch().value_or(0));
    summary.table = content.table;
    summary.meta = meta;
    summary.sections.resize(bundle::first_input_section); // the leaves
    files::FileRange file;
    for (const bundle::SectionInput& input : content.sections) {
        summary.sections.push_back(
            {input.type, input.partition, input.name, input.file ? input.file->offset : 0, input.size, {}});
        if (input.type == bundle::SectionType::root && input.file)
            file = {input.file->file, input.file->name, 0, input.file->offset + input.size};
    }
    return sbom::cyclonedx(sbom::bill_of(file, summary, {}));
}

} // namespace build
