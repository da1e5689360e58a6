// SPDX-License-Identifier: Apache-2.0
// image-tools/cli/command_diff.cpp - diff: what an update changes: images, packages, plan, who signed, sizes.
#include "image-tools/cli/boot_file.hpp"
#include "image-tools/cli/bundle_meta.hpp"
#include "image-tools/cli/commands.hpp"
#include "image-tools/cli/plan_text.hpp"
#include "image-tools/diagnostic/neutral.hpp"
#include "image-tools/sbom/bundle_bill.hpp"

#include <fmt/format.h>
#include <map>
#include <set>

namespace cli {
namespace {

struct DiffOptions {
    std::string before, after;
};

struct Side {
    bundle::BundleSummary summary;
    sbom::Bill bill;
    Json plan, images; // by partition
};

// One difference: about what, and the two values; an empty one: it is not there.
struct Change {
    std::string partition; // empty: the appliance's
    std::string subject, what, before, after;
};

Side side_of(const std::string& name) {
    const BootFile file = open_medium(name);
    file.expect_bundle();
    const bundle::FileSource source(file.bundle());
    Side out;
    out.summary = bundle::summarize(source.source(), name);
    out.bill = sbom::bill_of(file.bundle(), out.summary, {});
    PlanView view;
    view.table = out.summary.table;
    view.sections = out.summary.shapes();
    view.bundle_bytes = out.summary.header.total_size;
    out.plan = plan_json(view);
    const Json meta = meta_of(out.summary);
    if (meta.is_object() && meta.contains("partitions") && meta["partitions"].is_array())
        for (const Json& item : meta["partitions"])
            if (item.is_object() && item.contains("name") && item["name"].is_string())
                out.images[item["name"].get<std::string>()] = item;
    return out;
}

std::string text_of(const Json& value) {
    return value.is_string() ? value.get<std::string>() : value.is_null() ? std::string() : value.dump();
}

// Values of an object and all below it, by their paths.
std::map<std::string, std::string> flat(const Json& value) {
    std::map<std::string, std::string> out;
    if (value.is_null())
        return out;
    const Json flattened = value.flatten();
    for (const auto& [path, leaf] : flattened.items())
        out[path.empty() ? path : path.substr(1)] = text_of(leaf);
    return out;
}

void compare_values(const std::string& partition, const std::string& subject,
                    const std::map<std::string, std::string>& before,
                    const std::map<std::string, std::string>& after, std::vector<Change>& out) {
    std::set<std::string> keys;
    for (const auto* side : {&before, &after})
        for (const auto& [key, value] : *side)
            keys.insert(key);
    const auto value = [](const std::map<std::string, std::string>& side, const std::string& key) {
        const auto found = side.find(key);
        return found == side.end() ? std::string() : found->second;
    };
    for (const std::string& key : keys)
        if (const std::string one = value(before, key), other = value(after, key);
            one != other || before.contains(key) != after.contains(key))
            out.push_back({partition, subject, key, one, other});
}

// Of each package its versions: two of one name are told together.
std::map<std::string, std::string> packages_of(const sbom::PartitionBill& partition) {
    std::map<std::string, std::set<std::string>> versions;
    for (const sbom::Package& package : partition.inventory.packages)
        versions[std::string(sbom::word(package.kind)) + " " + package.name].insert(package.version);
    std::map<std::string, std::string> out;
    for (const auto& [name, all] : versions) {
        std::string& text = out[name];
        for (const std::string& version : all)
            text += (text.empty() ? "" : ", ") + (version.empty() ? "?" : version);
    }
    return out;
}

std::map<std::string, std::string> sections_of(const bundle::BundleSummary& summary) {
    std::map<std::string, std::string> out;
    for (const bundle::SectionSummary& section : summary.sections)
        if (section.type != bundle::SectionType::leaves)
            out[section.name] = std::to_string(section.size);
    return out;
}

// What the plan says of a partition; where things lie follows from the rest.
Json planned(const Json& plan, const std::string& name) {
    if (plan.is_object())
        for (Json item : plan["items"])
            if (item["name"] == name) {
                item.erase("regions");
                return item;
            }
    return {};
}

Json of_appliance(const Json& plan) {
    Json out = plan;
    for (const char* elsewhere : {"items", "bundle", "machine", "schema"})
        out.erase(elsewhere);
    return out;
}

std::vector<Change> all_changes(const Side& before, const Side& after) {
    std::vector<Change> out;
    const auto header = [](const Side& side) {
        return std::map<std::string, std::string>{
            {"name", side.summary.name()},
            {"version", side.summary.version()},
            {"securityVersion", std::to_string(side.summary.header.security_version)},
            {"key", files::hex(side.summary.header.key_id)}};
    };
    compare_values({}, "bundle", header(before), header(after), out);
    compare_values({}, "plan", flat(of_appliance(before.plan)), flat(of_appliance(after.plan)), out);
    compare_values({}, "size", sections_of(before.summary), sections_of(after.summary), out);
    std::map<std::string, std::pair<const sbom::PartitionBill*, const sbom::PartitionBill*>> partitions;
    for (const sbom::PartitionBill& partition : before.bill.partitions)
        partitions[partition.name].first = &partition;
    for (const sbom::PartitionBill& partition : after.bill.partitions)
        partitions[partition.name].second = &partition;
    const sbom::PartitionBill none;
    for (const auto& [name, both] : partitions) {
        const auto& [one, other] = both;
        if (one == nullptr || other == nullptr)
            out.push_back({name, "partition", "is there", one == nullptr ? "no" : "yes",
                           other == nullptr ? "no" : "yes"});
        const auto image = [&name = name](const Side& side) {
            Json item = side.images.is_object() && side.images.contains(name) ? side.images[name] : Json();
            if (item.is_object())
                item.erase("name");
            return flat(item);
        };
        compare_values(name, "image", image(before), image(after), out);
        compare_values(name, "plan", flat(planned(before.plan, name)), flat(planned(after.plan, name)), out);
        compare_values(name, "package", packages_of(one == nullptr ? none : *one),
                       packages_of(other == nullptr ? none : *other), out);
    }
    return out;
}

int diff(const DiffOptions& options, const Common&, Report& report) {
    const std::vector<Change> all = all_changes(side_of(options.before), side_of(options.after));
    Json items = Json::array();
    std::string heading;
    for (const Change& change : all) {
        const std::string here =
            (change.partition.empty() ? "appliance" : change.partition) + ", " + change.subject + ":";
        if (here != heading)
            report.line(heading = here);
        const auto shown = [](const std::string& value) { return value.empty() ? std::string("-") : value; };
        report.line(diagnostic::neutral(
            fmt::format("  {}: {} -> {}", change.what, shown(change.before), shown(change.after))));
        Json item{{"subject", change.subject},
                  {"what", change.what},
                  {"before", change.before},
                  {"after", change.after}};
        if (!change.partition.empty())
            item["partition"] = change.partition;
        items.push_back(std::move(item));
    }
    report.line(all.empty() ? "no difference" : fmt::format("{} differences", all.size()));
    report.data({{"schema", "caisson.diff/1"}, {"items", items}});
    return all.empty() ? 0 : static_cast<int>(diagnostic::ExitCode::answer_is_no);
}

} // namespace

void declare_diff(Command& root) {
    root.add<DiffOptions>(
        "diff",
        "Show what differs between two bundles: images, who signed them, packages, plan, sizes (exit 1 where "
        "something does)",
        "caisson diff gateway-1.0.bundle gateway-1.1.bundle",
        [](Command& command, DiffOptions& options) {
            command.bundle(options.before, value::before);
            command.argument(options.after, value::after, "the one to compare it with", Command::Must::yes);
        },
        diff);
}

} // namespace cli
