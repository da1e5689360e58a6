// SPDX-License-Identifier: Apache-2.0
// image-tools/cli/command_bundle.cpp - verify, inspect, keygen: bundles and keys.
#include "image-tools/bundle/audit_key.hpp"
#include "image-tools/bundle/loader_elf.hpp"
#include "image-tools/bundle/verify.hpp"
#include "image-tools/cli/commands.hpp"
#include "image-tools/cli/plan_text.hpp"
#include "image-tools/files/atomic_file.hpp"
#include "image-tools/manifest/values.hpp"

#include <fmt/format.h>

namespace cli {
namespace {

using manifest::size_text;

std::filesystem::path bundle_file(const Options& options) {
    if (options.file.empty())
        throw diagnostic::fail("E0101", "name the bundle: caisson " + options.command + " FILE");
    return options.file;
}

bundle::KeyTable keys(const Options& options) {
    std::vector<std::filesystem::path> files(options.keys.begin(), options.keys.end());
    std::optional<std::filesystem::path> elf;
    if (!options.elf.empty())
        elf = options.elf;
    return bundle::keys_for(bundle_file(options), files, elf);
}

Json section_json(const bundle::SectionSummary& section) {
    Json out{{"name", section.name},
             {"type", bundle::type_name(section.type)},
             {"offset", section.offset},
             {"size", section.size},
             {"rootHash", files::hex(section.root_hash)}};
    if (section.partition != bundle::no_partition)
        out["partition"] = section.partition;
    return out;
}

Json header_json(const bundle::BundleSummary& summary) {
    return {{"name", summary.name()},
            {"version", summary.version()},
            {"securityVersion", summary.header.security_version},
            {"buildEpoch", summary.header.build_epoch},
            {"size", summary.header.total_size},
            {"id", files::hex(summary.header.bundle_id)},
            {"keyId", files::hex(summary.header.key_id)}};
}

Json sections_json(const bundle::BundleSummary& summary) {
    Json out = Json::array();
    for (const bundle::SectionSummary& section : summary.sections)
        out.push_back(section_json(section));
    return out;
}

// The meta section's JSON; null when it is not JSON of a sane depth.
Json meta_of(const bundle::BundleSummary& summary) {
    constexpr int deepest = 32;
    bool deep = false;
    const Json::parser_callback_t guard = [&](int depth, Json::parse_event_t, Json&) {
        deep = deep || depth > deepest;
        return depth <= deepest;
    };
    Json meta = Json::parse(summary.meta, guard, false);
    return deep || meta.is_discarded() || !meta.is_object() ? Json() : meta;
}

std::vector<PlanSource> sources_of(const Json& meta) {
    std::vector<PlanSource> out;
    const auto text = [](const Json& at, const char* key) {
        const auto found = at.is_object() ? at.find(key) : at.end();
        return found != at.end() && found->is_string() ? found->get<std::string>() : std::string("-");
    };
    if (!meta.is_object() || !meta.contains("partitions") || !meta["partitions"].is_array())
        return out;
    for (const Json& item : meta["partitions"]) {
        const bool image = item.is_object() && item.contains("image");
        const bool kernel = item.is_object() && item.contains("kernel");
        const Json source = image ? item["image"] : kernel ? item["kernel"] : Json();
        out.push_back({text(source, image ? "reference" : "file"), text(source, "digest").substr(0, 19)});
    }
    return out;
}

} // namespace

int verify(const Options& options, Report& report) {
    const std::filesystem::path file = bundle_file(options);
    const bundle::FileSource source(file);
    if (!bundle::is_bundle(file))
        throw diagnostic::fail("E0419", file.string() + " is not a bundle")
            .help("a bundle is made by: caisson build");
    const bundle::KeyTable table = keys(options);
    const bundle::Verified verified = bundle::verify(source.source(), table, file.string());
    const bundle::BundleSummary& summary = verified.summary;
    report.line(fmt::format("OK signature {}{}  security version {} (floor {})",
                            bundle::fingerprint(verified.key),
                            verified.signer.development ? "  DEVELOPMENT KEY" : "",
                            verified.signer.security_version, verified.signer.security_version_floor));
    for (const bundle::SectionSummary& section : summary.sections)
        report.line(fmt::format("OK {:<28} {}", section.name, size_text(section.size)));
    report.line(fmt::format("{} {}: verified, {}", summary.name(), summary.version(),
                            size_text(summary.header.total_size)));
    report.line("This says who made the bundle. The loader ELF itself is protected by the platform's Secure "
                "Boot, or by nobody.");
    report.data({{"schema", "caisson.verify/1"},
                 {"verified", true},
                 {"bundle", header_json(summary)},
                 {"key", bundle::fingerprint(verified.key)},
                 {"developmentKey", verified.signer.development},
                 {"items", sections_json(summary)}});
    return 0;
}

int inspect(const Options& options, Report& report) {
    const std::filesystem::path file = bundle_file(options);
    const bundle::FileSource source(file);
    const bundle::BundleSummary summary = bundle::summarize(source.source(), file.string());
    const Json meta = meta_of(summary);
    PlanView view;
    view.table = summary.table;
    view.sections = summary.shapes();
    view.bundle_bytes = summary.header.total_size;
    view.sources = sources_of(meta);
    view.machine = build::assume_machine(view.table, view.sections, view.bundle_bytes);
    report.line(fmt::format("{} {}  security version {}  {}", summary.name(), summary.version(),
                            summary.header.security_version, size_text(summary.header.total_size)));
    report.line("id " + files::hex(summary.header.bundle_id));
    report.line("key id " + files::hex(summary.header.key_id) + " (not verified here: caisson verify)");
    report.line("");
    for (const bundle::SectionSummary& section : summary.sections)
        report.line(fmt::format("{:<8} {:<28} {:#012x} {:>12}  {}", bundle::type_name(section.type),
                                section.name, section.offset, size_text(section.size),
                                files::hex(std::span(section.root_hash).first(8))));
    report.line("");
    report.line(plan_text(view, options.verbose));
    report.data(
        {{"schema", "caisson.inspect/1"},
         {"verified", false},
         {"bundle", header_json(summary)},
         {"sections", sections_json(summary)},
         {"plan", plan_json(view)},
         {"meta", meta},
         {"items", meta.is_object() && meta.contains("partitions") ? meta["partitions"] : Json::array()}});
    return 0;
}

int keygen(const Options& options, Report& report) {
    if (options.output.empty())
        throw diagnostic::fail("E0101", "name the key: caisson keygen -o NAME")
            .help("it makes NAME.key and NAME.pub");
    if (options.purpose != "bundle" && options.purpose != "audit")
        throw diagnostic::fail("E0101",
                               "a key's purpose can be 'bundle' or 'audit', not '" + options.purpose + "'")
            .help("bundle: signs what may boot; audit: the audit log is sealed to it");
    std::filesystem::path base = options.output;
    if (base.extension() == ".key")
        base.replace_extension();
    const std::string private_file = base.string() + ".key", public_file = base.string() + ".pub";
    std::string fingerprint;
    if (options.purpose == "audit") {
        const bundle::AuditKey key = bundle::AuditKey::generate();
        key.save(private_file, public_file);
        fingerprint = bundle::audit_fingerprint(key.public_key());
    } else {
        const bundle::SigningKey key = bundle::SigningKey::generate();
        key.save(private_file, public_file);
        fingerprint = bundle::fingerprint(key.public_key());
    }
    report.line(fmt::format("{}  private, keep it secret", private_file));
    report.line(fmt::format("{}  public  {}", public_file, fingerprint));
    report.data({{"schema", "caisson.keygen/1"},
                 {"private", private_file},
                 {"public", public_file},
                 {"purpose", options.purpose},
                 {"fingerprint", fingerprint}});
    return 0;
}

} // namespace cli
