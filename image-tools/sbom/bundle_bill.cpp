// SPDX-License-Identifier: Apache-2.0
// image-tools/sbom/bundle_bill.cpp - the bill of a bundle.
//
// Trust: the bundle may be anybody's: plan and meta are parsed as hostile, root images by rootfs::RootReader.
#include "image-tools/sbom/bundle_bill.hpp"

#include "hypervisor/core/plan/plan.hpp"
#include "image-tools/bundle/loader_elf.hpp"
#include "image-tools/diagnostic/diagnostic.hpp"
#include "image-tools/files/atomic_file.hpp"
#include "image-tools/files/digest.hpp"
#include "image-tools/oci/limits.hpp"
#include "image-tools/oci/strict_json.hpp"
#include "image-tools/rootfs/root_reader.hpp"
#include "image-tools/sbom/database.hpp"

#include <algorithm>
#include <map>

namespace sbom {
namespace {

constexpr const char* us = "the Caisson project";

// What meta says of the partitions, by their names.
struct Sources {
    std::string build;
    struct Source {
        std::string image, digest, kernel, kernel_digest;
    };
    std::map<std::string, Source> partitions;
};

Sources sources_of(const std::string& meta) {
    Sources out;
    try {
        const oci::JsonDocument document(meta, "the bundle's meta section", oci::Limits());
        const oci::JsonObject top = document.top();
        out.build = top.text("build").value_or("");
        for (const oci::JsonObject& item : top.objects("partitions")) {
            Sources::Source& source = out.partitions[item.text("name").value_or("")];
            if (const auto image = item.object("image")) {
                source.image = image->text("reference").value_or("");
                source.digest = image->text("digest").value_or("");
            }
            if (const auto kernel = item.object("kernel")) {
                source.kernel = kernel->text("file").value_or("");
                source.kernel_digest = kernel->text("digest").value_or("");
            }
        }
    } catch (const diagnostic::Failure&) { // not ours: then nobody says where the images came from
    }
    return out;
}

files::FileRange content_of(const files::FileRange& file, const bundle::SectionSummary& section) {
    return {file.file, file.name, file.offset + section.offset, section.size};
}

// Sources that come from Debian, with its patches.
Component debian_source(const char* name, const char* version, const char* licence) {
    const Package package{Kind::deb, name, version, "source"};
    return {name, version, licence, "Debian", {}, purl(package, {"debian", {}, {}})};
}

std::vector<Component> kernels_of(const plan::Plan& plan, std::uint32_t index, const Sources& sources,
                                  const std::vector<bundle::SectionSummary>& sections) {
    std::vector<Component> out;
    const plan::Partition partition = plan.partition(index);
    std::uint32_t last = plan::no_section;
    for (std::uint32_t i = 0; i < partition.load_count; ++i) {
        const std::uint32_t at = plan.load(partition.first_load + i).section;
        if (at >= sections.size() || at == last || sections[at].type != bundle::SectionType::kernel)
            continue;
        last = at;
        const bool uplink = partition.payload == plan::PayloadKind::uplink;
        if (uplink || sections[at].name == "unikernel" || sections[at].name == "unikernel-net") {
            const std::string name = uplink ? "uplink" : sections[at].name;
            out.push_back({"caisson-" + name, sources.build, "Apache-2.0", us, {}, {}});
            if (name != "unikernel" && sources.build == bundle::build_id())
                out.push_back(debian_source("lwip", CAISSON_LWIP_VERSION, "BSD-3-Clause"));
        } else if (const auto known = sources.partitions.find(std::string(plan.partition_name(index)));
                   known != sources.partitions.end()) {
            const auto digest = files::Digest::parse(known->second.kernel_digest);
            out.push_back({known->second.kernel, {}, {}, {}, digest ? digest->hex() : std::string(), {}});
        }
    }
    return out;
}

} // namespace

Inventory inventory_of(const files::FileRange& root, const std::string& name) {
    const auto refused = [&name](const char* why) {
        return diagnostic::fail("E0432", "the root image " + name + " cannot be read: " + why);
    };
    try {
        return take_inventory(Files(std::make_shared<const rootfs::RootReader>(root)));
    } catch (const rootfs::RootError& error) {
        throw refused(error.what());
    } catch (const Damaged& error) {
        throw refused(error.what());
    }
}

Bill bill_of(const files::FileRange& file, const bundle::BundleSummary& summary, const std::string& only) {
    const auto plan = plan::Plan::parse(summary.table);
    if (!plan)
        throw diagnostic::fail("E0419", file.name + ": its plan cannot be read");
    const Sources sources = sources_of(summary.meta);
    Bill out;
    out.name = summary.name();
    out.version = summary.version();
    // Known before the bundle is, which may hold this bill.
    files::Sha256 id;
    id.update({static_cast<const std::uint8_t*>(static_cast<const void*>(summary.table.data())),
               summary.table.size()});
    id.update(files::bytes_of(summary.meta));
    out.id = id.finish().hex();
    out.time = summary.header.build_epoch;
    out.tool_version = bundle::build_id();
    out.merged = only.empty();
    if (out.merged) {
        out.own.push_back({"caisson-hypervisor", sources.build, "Apache-2.0", us, {}, {}});
        if (sources.build == bundle::build_id())
            out.own.push_back(debian_source("libsodium", CAISSON_SODIUM_VERSION, "ISC"));
    }
    std::map<std::uint32_t, Inventory> roots; // several partitions may start from one
    for (std::uint32_t i = 0; i < plan->partition_count(); ++i) {
        const std::string name(plan->partition_name(i));
        if (!only.empty() && name != only)
            continue;
        PartitionBill partition{name, {}, {}, kernels_of(*plan, i, sources, summary.sections), {}};
        if (const auto known = sources.partitions.find(name); known != sources.partitions.end()) {
            partition.image = known->second.image;
            partition.digest = known->second.digest;
        }
        const std::uint32_t root = plan->partition(i).root_section;
        if (root < summary.sections.size()) {
            const auto [at, first] = roots.try_emplace(root);
            if (first)
                at->second =
                    inventory_of(content_of(file, summary.sections[root]), summary.sections[root].name);
            partition.inventory = at->second;
        }
        out.partitions.push_back(std::move(partition));
    }
    if (out.partitions.empty())
        throw diagnostic::fail("E0103", "there is no partition '" + only + "' in " + file.name);
    return out;
}

} // namespace sbom
