// SPDX-License-Identifier: Apache-2.0
// image-tools/cli/command_sbom.cpp - sbom: the packages in a bundle, for people or as SPDX and CycloneDX.
#include "image-tools/cli/boot_file.hpp"
#include "image-tools/cli/commands.hpp"
#include "image-tools/diagnostic/neutral.hpp"
#include "image-tools/files/atomic_file.hpp"
#include "image-tools/sbom/bundle_bill.hpp"
#include "image-tools/sbom/licence.hpp"

#include <array>
#include <fmt/format.h>

namespace cli {
namespace {

enum class As : std::uint8_t { list, spdx, cyclonedx, cyclonedx_1_6 };
constexpr std::array<std::pair<const char*, As>, 4> forms{{{"list", As::list},
                                                           {"spdx", As::spdx},
                                                           {"cyclonedx", As::cyclonedx},
                                                           {"cyclonedx-1.6", As::cyclonedx_1_6}}};

struct SbomOptions {
    std::string file;
    std::string partition;
    As as = As::list;
};

std::string licence_text(const sbom::Package& package) {
    std::string out;
    for (const sbom::Licence& licence : sbom::licences_of(package.licence))
        out += (out.empty() ? "" : ", ") + licence.text;
    return out;
}

void list_packages(const sbom::Bill& bill, Report& report) {
    Json items = Json::array();
    for (const sbom::PartitionBill& partition : bill.partitions) {
        report.line(
            fmt::format("{}: {} packages{}", partition.name, partition.inventory.packages.size(),
                        partition.image.empty() ? "" : " in " + diagnostic::neutral(partition.image)));
        for (const sbom::Package& package : partition.inventory.packages) {
            report.line(
                diagnostic::neutral(fmt::format("  {:<6} {} {}  {}", sbom::word(package.kind), package.name,
                                                package.version, licence_text(package))));
            items.push_back({{"partition", partition.name},
                             {"kind", sbom::word(package.kind)},
                             {"name", package.name},
                             {"version", package.version},
                             {"purl", sbom::purl(package, partition.inventory.distribution)},
                             {"licence", licence_text(package)},
                             {"foundIn", package.place},
                             {"files", package.files.size()}});
        }
    }
    report.data({{"schema", "caisson.sbom/1"}, {"name", bill.name}, {"id", bill.id}, {"items", items}});
}

int make_bill(const SbomOptions& options, const Common& common, Report& report) {
    const BootFile file = open_medium(options.file);
    file.expect_bundle();
    const bundle::FileSource source(file.bundle());
    const bundle::BundleSummary summary = bundle::summarize(source.source(), options.file);
    const sbom::Bill bill = sbom::bill_of(file.bundle(), summary, options.partition);
    for (const sbom::PartitionBill& partition : bill.partitions)
        for (const std::string& note : partition.inventory.notes)
            report.note(diagnostic::neutral("'" + partition.name + "': not read: " + note));
    if (options.as == As::list) {
        if (!common.outputs.empty())
            throw diagnostic::fail("E0101", "-o is for a document")
                .help("say which: --as spdx or --as cyclonedx");
        list_packages(bill, report);
        return 0;
    }
    const std::string document = options.as == As::spdx
                                     ? sbom::spdx(bill)
                                     : sbom::cyclonedx(bill, options.as == As::cyclonedx ? "1.5" : "1.6");
    if (common.outputs.empty()) {
        report.text(document);
        return 0;
    }
    files::AtomicFile out(common.output());
    out.write(files::bytes_of(document));
    out.commit();
    return 0;
}

} // namespace

void declare_sbom(Command& root) {
    root.add<SbomOptions>(
        "sbom",
        "List the packages in a bundle's root images, or write them as SPDX or CycloneDX (without verifying "
        "it)",
        "caisson sbom gateway.bundle --as cyclonedx -o gateway.cdx.json",
        [](Command& command, SbomOptions& options) {
            command.bundle(options.file, value::bundle);
            command.option("--partition", options.partition, value::partition, "that one alone");
            command.choice("--as", options.as, forms,
                           "for people and scripts (default), SPDX 2.3, CycloneDX 1.5 or 1.6, JSON");
        },
        make_bill);
}

} // namespace cli
