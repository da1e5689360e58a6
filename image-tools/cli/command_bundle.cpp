// SPDX-License-Identifier: Apache-2.0
// image-tools/cli/command_bundle.cpp - verify, inspect, keygen: bundles and keys.
#include "image-tools/bundle/audit_key.hpp"
#include "image-tools/bundle/loader_elf.hpp"
#include "image-tools/bundle/verify.hpp"
#include "image-tools/cli/boot_file.hpp"
#include "image-tools/cli/bundle_meta.hpp"
#include "image-tools/cli/commands.hpp"
#include "image-tools/cli/plan_text.hpp"
#include "image-tools/diagnostic/neutral.hpp"
#include "image-tools/disk/authenticode.hpp"
#include "image-tools/files/atomic_file.hpp"
#include "image-tools/manifest/values.hpp"
#include "image-tools/trust/approval.hpp"
#include "image-tools/trust/provenance.hpp"

#include <algorithm>
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
    std::string provenance;
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

// Whether the statement of what the bundle was built from is of this bundle; the key that says so.
Json check_provenance(const VerifyOptions& options, const BootFile& file, const bundle::KeyTable& trusted,
                      const std::string& meta, Report& report) {
    if (options.provenance.empty())
        return {};
    constexpr std::uint64_t largest = 4 << 20;
    std::vector<bundle::PublicKey> all;
    for (const bundle::KeySlot& slot : trusted.slots)
        if (slot.purpose == bundle::purpose_bundle && (slot.flags & bundle::key_revoked) == 0)
            all.push_back(slot.public_key);
    const std::vector<trust::Artifact> inputs = trust::inputs_of_meta(meta);
    const bundle::PublicKey key =
        trust::check_provenance(files::read_file(options.provenance, largest), options.provenance, all,
                                trust::built_digest(file.bundle()), inputs);
    report.line(
        fmt::format("OK provenance signed by {}: {} inputs", bundle::fingerprint(key), inputs.size()));
    return {{"key", bundle::fingerprint(key)}, {"inputs", inputs.size()}};
}

// Who countersigned it: those whose signatures were verified, and others.
Json say_approvals(const bundle::BundleSummary& summary, const bundle::KeyTable& trusted, Report& report) {
    Json out = Json::array();
    for (const bundle::Countersignature& one : summary.signatures.counter) {
        if (one.purpose == 0)
            continue;
        const auto slot =
            std::find_if(trusted.slots.begin(), trusted.slots.end(), [&](const bundle::KeySlot& held) {
                return held.purpose == one.purpose && bundle::key_id(held.public_key) == one.key_id;
            });
        const bool known = slot != trusted.slots.end();
        report.line(fmt::format("{} {} by ed25519:{}{}", known ? "OK" : "--",
                                trust::purpose_word(one.purpose), files::hex(std::span(one.key_id).first(8)),
                                known ? "" : ": a key that is not trusted here, not looked at"));
        out.push_back({{"purpose", trust::purpose_word(one.purpose)},
                       {"keyId", files::hex(one.key_id)},
                       {"verified", known}});
    }
    return out;
}

int verify(const VerifyOptions& options, const Common&, Report& report) {
    const BootFile file = open_medium(options.file);
    file.expect_bundle();
    const std::optional<disk::SignedBy> signer = signer_of(file, options, report);
    const bundle::FileSource source(file.bundle());
    const bundle::KeyTable trusted = keys(options, file);
    const bundle::Verified verified = bundle::verify(source.source(), trusted, options.file);
    const bundle::BundleSummary& summary = verified.summary;
    report.line(fmt::format("OK signature {}{}  security version {} (floor {})",
                            bundle::fingerprint(verified.key),
                            verified.signer.development ? "  DEVELOPMENT KEY" : "",
                            verified.signer.security_version, verified.signer.security_version_floor));
    for (const bundle::SectionSummary& section : summary.sections)
        report.line(fmt::format("OK {:<28} {}", section.name, size_text(section.size)));
    const Json meta = meta_of(summary);
    const Json images = say_verdicts(meta, report);
    const Json policies = say_policies(summary.header, meta, report);
    const Json approvals = say_approvals(summary, trusted, report);
    const Json provenance = check_provenance(options, file, trusted, summary.meta, report);
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
                 {"images", images},
                 {"policies", policies},
                 {"approvals", approvals},
                 {"provenance", provenance},
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
    const Json policies = say_policies(summary.header, meta, report);
    const Json approvals = say_approvals(summary, bundle::empty_keys(), report);
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
         {"policies", policies},
         {"approvals", approvals},
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

Json say_verdicts(const Json& meta, Report& report) {
    Json out = Json::array();
    if (!meta.is_object() || !meta.contains("partitions") || !meta["partitions"].is_array())
        return out;
    const auto text = [](const Json& at, const char* key) {
        const auto found = at.find(key);
        return found != at.end() && found->is_string() ? diagnostic::neutral(found->get<std::string>())
                                                       : std::string();
    };
    for (const Json& item : meta["partitions"]) {
        if (!item.is_object() || !item.contains("image") || !item["image"].is_object() ||
            !item["image"].contains("trust") || !item["image"]["trust"].is_object())
            continue;
        const Json &image = item["image"], &trust = image["trust"];
        const std::string key = text(trust, "key"), identity = text(trust, "identity");
        report.line(fmt::format("OK image {} {}: {}", text(item, "name"), text(image, "digest").substr(0, 19),
                                key.empty()
                                    ? "not signed, and the policy accepts anything"
                                    : "signed by " + key + (identity.empty() ? "" : " as " + identity)));
        out.push_back({{"partition", text(item, "name")},
                       {"reference", text(image, "reference")},
                       {"digest", text(image, "digest")},
                       {"trust", trust}});
    }
    return out;
}

Json say_policies(const bundle::Header& header, const Json& meta, Report& report) {
    const bool any = header.policy_set != bundle::Hash{};
    const bool not_met = (header.policy_marks & bundle::policy_not_met) != 0;
    const bool excepted = (header.policy_marks & bundle::policy_excepted) != 0;
    std::string names;
    if (meta.is_object() && meta.contains("policies") && meta["policies"].is_array())
        for (const Json& one : meta["policies"])
            if (one.is_object() && one.contains("name") && one["name"].is_string())
                names += (names.empty() ? "" : ", ") + diagnostic::neutral(one["name"].get<std::string>());
    if (any)
        report.line(fmt::format(
            "OK judged by policies {} ({}){}{}", files::hex(header.policy_set).substr(0, 16),
            names.empty() ? "named when it was built" : names,
            not_met ? "; a rule that warns is not met" : "", excepted ? "; with exceptions" : ""));
    return any ? Json{{"set", files::hex(header.policy_set)}, {"notMet", not_met}, {"excepted", excepted}}
               : Json();
}

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

void declare_bundle_commands(Command& root) {
    root.add<VerifyOptions>(
        "verify", "Check signatures and every byte of a bundle, or of the .efi, .img or .iso that holds it",
        "caisson verify --key keys/release.pub gateway.bundle",
        [](Command& command, VerifyOptions& options) {
            command.bundle(options.file, value::bundle);
            command.option(
                "--key", options.keys, value::file,
                "a trusted public key (default: those in the ELF beside it, or in the application)");
            command.option("--elf", options.elf, value::file, "the loader ELF whose keys are trusted");
            command.option("--certificate", options.certificate, value::file,
                           "the certificate in PEM that must have signed the application for Secure Boot");
            command.option("--provenance", options.provenance, value::file,
                           "the statement of what the bundle was built from, that must be of it");
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
