// SPDX-License-Identifier: Apache-2.0
// image-tools/cli/command_bundle.cpp - verify, inspect, keygen: bundles and keys.
#include "image-tools/bundle/audit_key.hpp"
#include "image-tools/bundle/loader_elf.hpp"
#include "image-tools/bundle/verify.hpp"
#include "image-tools/cli/boot_file.hpp"
#include "image-tools/cli/commands.hpp"
#include "image-tools/cli/plan_text.hpp"
#include "image-tools/disk/authenticode.hpp"
#include "image-tools/files/atomic_file.hpp"
#include "image-tools/manifest/values.hpp"

#include <array>
#include <fmt/format.h>

namespace cli {
namespace {

using manifest::size_text;

enum class Purpose : std::uint8_t { bundle, audit };
constexpr std::array<std::pair<const char*, Purpose>, 2> purposes{
    {{"bundle", Purpose::bundle}, {"audit", Purpose::audit}}};

struct VerifyOptions {
    std::string file;
    std::vector<std::string> keys;
    std::string elf;
    std::string certificate;
};

struct InspectOptions {
    std::string file;
};

struct KeygenOptions {
    Purpose purpose = Purpose::bundle;
};

bundle::KeyTable keys(const VerifyOptions& options, const BootFile& file) {
    const std::vector<std::filesystem::path> files(options.keys.begin(), options.keys.end());
    std::optional<std::filesystem::path> elf;
    if (!options.elf.empty())
        elf = options.elf;
    if (file.medium && !elf)
        return files.empty() ? bundle::keys_of_loadable_part(file.loader) : bundle::keys_of_files(files);
    return bundle::keys_for(options.file, files, elf);
}

// Who signed the application of a disk, a CD or a file for Secure Boot.
std::optional<disk::SignedBy> signer_of(const BootFile& file, const VerifyOptions& options, Report& report) {
    if (!file.medium && !options.certificate.empty())
        throw diagnostic::fail("E0101", "--certificate: a bundle has no signature for Secure Boot")
            .help("verify the .efi, .img or .iso");
    if (!file.medium)
        return std::nullopt;
    auto out = disk::check_signature(file.application, options.certificate, options.file);
    if (!out)
        report.line("-- not signed for Secure Boot: firmware that enforces it refuses this application");
    else
        report.line(
            fmt::format("OK Secure Boot: signed by {} ({}){}", out->subject, out->certificate.brief(),
                        options.certificate.empty() ? "; compare with what your firmware has in db" : ""));
    return out;
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
    const auto number = [](const Json& at, const char* key) {
        const auto found = at.find(key);
        return found != at.end() && found->is_number_unsigned() ? found->get<std::uint32_t>() : 0;
    };
    if (!meta.is_object() || !meta.contains("partitions") || !meta["partitions"].is_array())
        return out;
    for (const Json& item : meta["partitions"]) {
        const bool image = item.is_object() && item.contains("image");
        const bool kernel = item.is_object() && item.contains("kernel");
        const Json source = image ? item["image"] : kernel ? item["kernel"] : Json();
        out.push_back({text(source, image ? "reference" : "file"), text(source, "digest").substr(0, 19),
                       item.is_object() ? number(item, "pids") : 0});
    }
    return out;
}

int verify(const VerifyOptions& options, const Common&, Report& report) {
    const BootFile file = open_medium(options.file);
    file.expect_bundle();
    const std::optional<disk::SignedBy> signer = signer_of(file, options, report);
    const bundle::FileSource source(file.bundle());
    const bundle::Verified verified = bundle::verify(source.source(), keys(options, file), options.file);
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
    Json secure_boot;
    if (signer)
        secure_boot = {{"subject", signer->subject},
                       {"certificate", signer->certificate.text()},
                       {"expected", !options.certificate.empty()}};
    report.data({{"schema", "caisson.verify/1"},
                 {"verified", true},
                 {"secureBoot", secure_boot},
                 {"bundle", header_json(summary)},
                 {"key", bundle::fingerprint(verified.key)},
                 {"developmentKey", verified.signer.development},
                 {"items", sections_json(summary)}});
    return 0;
}

int inspect(const InspectOptions& options, const Common& common, Report& report) {
    const std::filesystem::path file = options.file;
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
    report.line(plan_text(view, common.verbose));
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

int keygen(const KeygenOptions& options, const Common& common, Report& report) {
    if (common.outputs.empty())
        throw diagnostic::fail("E0101", "name the key: caisson keygen -o NAME")
            .help("it makes NAME.key and NAME.pub");
    std::filesystem::path base = common.output();
    if (base.extension() == ".key")
        base.replace_extension();
    const std::string private_file = base.string() + ".key", public_file = base.string() + ".pub";
    std::string fingerprint;
    if (options.purpose == Purpose::audit) {
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
                 {"purpose", purposes[static_cast<std::size_t>(options.purpose)].first},
                 {"fingerprint", fingerprint}});
    return 0;
}

} // namespace

void declare_bundle_commands(Command& root) {
    root.add<VerifyOptions>(
        "verify", "Check signatures and every byte of a bundle, or of the .efi, .img or .iso that holds it",
        "caisson verify --key keys/release.pub gateway.bundle",
        [](Command& command, VerifyOptions& options) {
            command.argument(options.file, value::bundle, "the bundle, or a .efi, .img or .iso",
                             Command::Must::yes);
            command.option(
                "--key", options.keys, value::file,
                "a trusted public key (default: those in the ELF beside it, or in the application)");
            command.option("--elf", options.elf, value::file, "the loader ELF whose keys are trusted");
            command.option("--certificate", options.certificate, value::file,
                           "the certificate in PEM that must have signed the application for Secure Boot");
        },
        verify);
    root.add<InspectOptions>(
        "inspect", "Show what a bundle holds (without verifying it)",
        "caisson inspect gateway.bundle --format json",
        [](Command& command, InspectOptions& options) {
            command.argument(options.file, value::bundle, "the bundle", Command::Must::yes);
        },
        inspect);
    root.add<KeygenOptions>(
        "keygen", "Make a key pair: -o NAME gives NAME.key and NAME.pub", "caisson keygen -o keys/release",
        [](Command& command, KeygenOptions& options) {
            command.choice("--purpose", options.purpose, purposes,
                           "bundle: signs bundles (default); audit: audit logs are sealed to it");
        },
        keygen);
}

} // namespace cli
