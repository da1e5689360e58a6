// SPDX-License-Identifier: Apache-2.0
// image-tools/cli/command_evidence.cpp - evidence: all that an auditor asks for of one bundle, in one signed archive.
#include "image-tools/build/build.hpp"
#include "image-tools/bundle/verify.hpp"
#include "image-tools/cli/bundle_meta.hpp"
#include "image-tools/cli/judging.hpp"
#include "image-tools/cli/zip_archive.hpp"
#include "image-tools/files/atomic_file.hpp"
#include "image-tools/files/digest.hpp"
#include "image-tools/oci/limits.hpp"
#include "image-tools/oci/strict_json.hpp"
#include "image-tools/registry/images.hpp"
#include "image-tools/sbom/bundle_bill.hpp"
#include "image-tools/sbom/database.hpp"
#include "image-tools/sbom/zip.hpp"
#include "image-tools/trust/approval.hpp"
#include "image-tools/trust/provenance.hpp"
#include "image-tools/trust/signature.hpp"

#include <algorithm>
#include <fmt/format.h>

namespace cli {
namespace {

struct EvidenceOptions {
    std::string file, bundle, elf, provenance, key, archive;
    std::vector<std::string> policies, results, figures, signers;
};

constexpr std::uint64_t largest_attachment = 64 << 20, largest_archive = std::uint64_t{1} << 30;
constexpr const char* list_name = "evidence.dsse.json";

std::string json_file(const Json& data) {
    return data.dump(1, ' ', false, Json::error_handler_t::replace) + "\n";
}

// What was verified of the bundle: its digest, who signed, who approved, by which policies it was judged.
Json bundle_facts(const bundle::Verified& verified, const files::Digest& digest,
                  const bundle::KeyTable& keys) {
    const bundle::BundleSummary& summary = verified.summary;
    Json approvals = Json::array();
    for (const bundle::Countersignature& one : summary.signatures.counter)
        for (const bundle::KeySlot& slot : keys.slots)
            if (one.purpose != 0 && slot.purpose == one.purpose &&
                bundle::key_id(slot.public_key) == one.key_id)
                approvals.push_back({{"purpose", trust::purpose_word(one.purpose)},
                                     {"key", bundle::fingerprint(slot.public_key)}});
    return {{"schema", "caisson.evidence-bundle/1"},
            {"name", summary.name()},
            {"version", summary.version()},
            {"securityVersion", summary.header.security_version},
            {"buildEpoch", summary.header.build_epoch},
            {"id", files::hex(summary.header.bundle_id)},
            {"sha256", digest.hex()},
            {"signedBy", bundle::fingerprint(verified.key)},
            {"approvals", approvals},
            {"policySet", files::hex(summary.header.policy_set)},
            {"policyMarks", summary.header.policy_marks},
            {"meta", meta_of(summary)}};
}

void attach(NamedTexts& to, const std::string& folder, const std::vector<std::string>& files) {
    for (const std::string& file : files) {
        const std::string name = folder + "/" + std::filesystem::path(file).filename().string();
        if (std::any_of(to.begin(), to.end(), [&](const auto& one) { return one.first == name; }))
            throw diagnostic::fail("E0101", "two files are called " + name).help("give one another name");
        to.emplace_back(name, files::read_file(file, largest_attachment));
    }
}

// The list of all files with their SHA-256, as a signed DSSE envelope.
std::string signed_list(const NamedTexts& files, const bundle::SigningKey& key) {
    Json list = Json::array();
    for (const auto& [name, bytes] : files)
        list.push_back({{"name", name}, {"sha256", files::sha256(std::string_view(bytes)).hex()}});
    return trust::enveloped(trust::evidence_type,
                            json_file({{"schema", "caisson.evidence/1"}, {"files", list}}), key);
}

[[noreturn]] void not_as_signed(const std::string& archive, const std::string& why) {
    throw diagnostic::fail("E0515", archive + ": " + why);
}

// The archive's files, in its order. It has none but these: no other archive of them has the same bytes.
NamedTexts files_in(const std::string& archive) {
    const std::string bytes = files::read_file(archive, largest_archive);
    NamedTexts out;
    try {
        const sbom::Zip zip(
            [&bytes](std::uint64_t offset, std::uint64_t count) { return bytes.substr(offset, count); },
            bytes.size());
        for (const sbom::Zip::Entry& entry : zip.entries())
            out.emplace_back(entry.name, zip.read(entry, largest_archive));
    } catch (const sbom::Damaged& damaged) {
        not_as_signed(archive, damaged.what());
    }
    if (zip_archive(out) != bytes)
        not_as_signed(archive, "it is not as caisson evidence writes archives");
    return out;
}

// Every file is the one that is listed, and all that are listed are there.
int verify_evidence(const EvidenceOptions& options, Report& report) {
    if (options.signers.empty())
        throw diagnostic::fail("E0101", "name whose evidence it must be: --signer KEY");
    std::vector<bundle::PublicKey> keys;
    for (const std::string& file : options.signers)
        keys.push_back(bundle::load_public_key(file));
    NamedTexts all = files_in(options.archive);
    if (all.empty() || all.back().first != list_name)
        not_as_signed(options.archive, std::string("there is no ") + list_name + " at its end");
    const trust::Opened list = trust::opened(trust::evidence_type, all.back().second, options.archive, keys);
    all.pop_back();
    Json listed = Json::array(), here = Json::array();
    try {
        listed = Json::parse(list.payload).at("files");
    } catch (const Json::exception&) {
        not_as_signed(options.archive, "its list cannot be read");
    }
    std::string digest;
    for (const auto& [name, bytes] : all) {
        here.push_back({{"name", name}, {"sha256", files::sha256(std::string_view(bytes)).hex()}});
        if (name == "bundle.json")
            digest = oci::JsonDocument(bytes, name, oci::Limits()).top().required_text("sha256");
    }
    for (std::size_t i = 0; i < std::max(here.size(), listed.size()); ++i)
        if (i >= here.size() || i >= listed.size() || here[i] != listed[i])
            not_as_signed(options.archive, (i < here.size() ? here[i]["name"].get<std::string>()
                                                            : std::string("a file that is not there")) +
                                               " is not what was signed");
    if (!options.bundle.empty()) {
        const auto range = files::FileRange::open(options.bundle);
        if (!range)
            throw diagnostic::fail("E0601", "cannot read " + options.bundle);
        if (trust::built_digest(*range).hex() != digest)
            not_as_signed(options.archive, "it is of another bundle, " + digest);
    }
    report.line(fmt::format("{}: {} files, all as {} signed them, of the bundle {}", options.archive,
                            all.size(), bundle::fingerprint(list.key), digest));
    report.data({{"schema", "caisson.evidence/1"},
                 {"file", options.archive},
                 {"bundle", digest},
                 {"files", here},
                 {"key", bundle::fingerprint(list.key)}});
    return 0;
}

int gather_evidence(const EvidenceOptions& options, const Common& common, Report& report) {
    if (!options.archive.empty())
        return verify_evidence(options, report);
    if (options.bundle.empty())
        throw diagnostic::fail("E0101", "name the bundle that the manifest gave: --bundle FILE");
    if (!common.output().ends_with(".zip"))
        throw diagnostic::fail("E0101", "name the archive: caisson evidence -o NAME.zip");
    const manifest::Manifest manifest = manifest::load(manifest_file(options.file, common));
    const std::filesystem::path file = options.bundle;
    std::optional<std::filesystem::path> elf;
    if (!options.elf.empty())
        elf = options.elf;
    const bundle::KeyTable keys = bundle::keys_for(file, {}, elf);
    const bundle::FileSource source(file);
    const bundle::Verified verified = bundle::verify(source.source(), keys, file.string());
    if (verified.summary.name() != manifest.name || verified.summary.version() != manifest.version)
        throw diagnostic::fail("E0515", fmt::format("{} is {} {}, and the manifest says {} {}", file.string(),
                                                    verified.summary.name(), verified.summary.version(),
                                                    manifest.name, manifest.version));
    const auto range = files::FileRange::open(file);
    const files::Digest digest = trust::built_digest(*range);
    const Json plan = plan_of(manifest, {}, image_options(common, manifest.source.file()), report);
    const Json controls = controls_of(manifest, options.policies, plan, read_results(options.results));

    NamedTexts all{{"bundle.json", json_file(bundle_facts(verified, digest, keys))},
                   {"plan.json", json_file(plan)},
                   {"controls.json", json_file(controls)},
                   {"controls.html", controls_html(controls)},
                   {"controls.oscal.json", controls_oscal(controls)}};
    const sbom::Bill bill = sbom::bill_of(*range, verified.summary, {});
    all.emplace_back("sbom.cdx.json", sbom::cyclonedx(bill));
    all.emplace_back("sbom.spdx.json", sbom::spdx(bill));
    if (!options.provenance.empty()) {
        const std::string text = files::read_file(options.provenance, largest_attachment);
        const std::vector<bundle::PublicKey> signer{verified.key};
        static_cast<void>(trust::check_provenance(text, options.provenance, signer, digest,
                                                  trust::inputs_of_meta(verified.summary.meta)));
        all.emplace_back("provenance.json", text);
    }
    attach(all, "tests", options.results);
    attach(all, "figures", options.figures);
    std::sort(all.begin(), all.end());
    bool made = false;
    const bundle::SigningKey key =
        options.key.empty() ? build::signing_key(manifest, made) : bundle::SigningKey::load(options.key);
    all.emplace_back(list_name, signed_list(all, key));
    files::AtomicFile out(common.output());
    out.write(files::bytes_of(zip_archive(all)));
    out.commit();
    const bool met = controls["met"].get<bool>();
    report.line(fmt::format("{}: {} files, signed by {}{}", common.output(), all.size(),
                            bundle::fingerprint(key.public_key()), met ? "" : "; not all controls are met"));
    report.data({{"schema", "caisson.evidence/1"},
                 {"file", common.output()},
                 {"bundle", digest.hex()},
                 {"met", met},
                 {"key", bundle::fingerprint(key.public_key())}});
    return static_cast<int>(met ? diagnostic::ExitCode::done : diagnostic::ExitCode::answer_is_no);
}

} // namespace

void declare_evidence(Command& root) {
    root.add<EvidenceOptions>(
        "evidence",
        "Gather what an auditor asks for of a bundle into one signed archive (exit 1 where a control is not "
        "met)",
        "caisson evidence --bundle gateway.bundle --junit attack.xml -o gateway-evidence.zip",
        [](Command& command, EvidenceOptions& options) {
            declare_manifest_file(command, options.file);
            command.option("--bundle", options.bundle, value::bundle, "the bundle that the manifest gave");
            command.option("--elf", options.elf, value::file,
                           "the loader ELF whose keys are trusted (default: that beside the bundle)");
            declare_policy_option(command, options.policies);
            command.option("--junit", options.results, value::file, "results of tests (repeat)");
            command.option("--provenance", options.provenance, value::file, "of the bundle; it is checked");
            command.option("--figures", options.figures, value::file, "what was measured (repeat)");
            command.option("--key", options.key, value::file,
                           "the private key that signs (default: the manifest's)");
            command.option("--verify", options.archive, value::file,
                           "instead: is this archive as it was signed, and of the bundle if one is named?");
            command.option("--signer", options.signers, value::file,
                           "with --verify: the public key that must have signed it (repeat)");
        },
        gather_evidence);
}

} // namespace cli
