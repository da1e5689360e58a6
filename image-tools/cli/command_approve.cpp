// SPDX-License-Identifier: Apache-2.0
// image-tools/cli/command_approve.cpp - approve: shows what a bundle is, and countersigns what was shown.
#include "image-tools/bundle/loader_elf.hpp"
#include "image-tools/bundle/verify.hpp"
#include "image-tools/cli/bundle_meta.hpp"
#include "image-tools/cli/commands.hpp"
#include "image-tools/files/atomic_file.hpp"
#include "image-tools/manifest/values.hpp"
#include "image-tools/trust/approval.hpp"

#include <fmt/format.h>
#include <iostream>
#include <unistd.h>

namespace cli {
namespace {

constexpr std::size_t shortest_id = 16; // digits by which a script says what it approves

struct ApproveOptions {
    std::string file, key, elf, id, to;
    std::vector<std::string> signers;
    std::uint32_t purpose = bundle::purpose_approve;
};

// The keys of the builder: what else the loader demands is not there yet.
bundle::KeyTable signer_keys(const ApproveOptions& options) {
    const std::vector<std::filesystem::path> files(options.signers.begin(), options.signers.end());
    std::optional<std::filesystem::path> elf;
    if (!options.elf.empty())
        elf = options.elf;
    return bundle::without_demands(bundle::keys_for(options.file, files, elf));
}

void show_bundle(const bundle::Verified& verified, Report& report) {
    const bundle::BundleSummary& summary = verified.summary;
    report.line(fmt::format("{} {}  security version {}  {}", summary.name(), summary.version(),
                            summary.header.security_version, manifest::size_text(summary.header.total_size)));
    report.line(fmt::format("signed by {}{}", bundle::fingerprint(verified.key),
                            verified.signer.development ? "  DEVELOPMENT KEY" : ""));
    const Json meta = meta_of(summary);
    say_verdicts(meta, report);
    say_policies(summary.header, meta, report);
    report.line("bundle id " + files::hex(summary.header.bundle_id));
}

// Whoever approves says what: at a terminal by the appliance's name, a script by the bundle's id.
void ask_approver(const bundle::BundleSummary& summary, const ApproveOptions& options) {
    const std::string id = files::hex(summary.header.bundle_id);
    if (!options.id.empty()) {
        if (options.id.size() < shortest_id || !id.starts_with(options.id))
            throw diagnostic::fail("E0516", fmt::format("--id {}: the bundle is {}", options.id, id))
                .help(options.id.size() < shortest_id ? "at least 16 digits of the id say which is meant"
                                                      : "it is another bundle than the one you mean");
        return;
    }
    if (::isatty(STDIN_FILENO) == 0)
        throw diagnostic::fail("E0101", "nobody can be asked whether " + options.file + " is approved")
            .help("caisson inspect shows it; to approve it: --id " + id);
    std::cerr << "Its name, to approve it (" << summary.name() << "): " << std::flush;
    std::string answer;
    std::getline(std::cin, answer);
    if (answer != summary.name())
        throw diagnostic::fail("E0101", "another name: nothing was signed");
}

int approve(const ApproveOptions& options, const Common&, Report& report) {
    const bundle::FileSource source(std::filesystem::path(options.file));
    const bundle::Verified verified = bundle::verify(source.source(), signer_keys(options), options.file);
    const bundle::SigningKey key = bundle::SigningKey::load(options.key);
    if (key.public_key() == verified.key)
        throw diagnostic::fail("E0516", "the key that signed the bundle cannot approve it as well")
            .help("two signatures are two people's");
    show_bundle(verified, report);
    ask_approver(verified.summary, options);
    const trust::Approval approval = trust::approve(verified.summary, options.purpose, key);
    if (options.to.empty()) {
        trust::add_to_bundle(options.file, approval);
    } else {
        files::AtomicFile out(options.to);
        out.write(files::bytes_of(approval.text()));
        out.commit();
    }
    report.line(fmt::format("{} ({}) by {}", options.to.empty() ? options.file : options.to,
                            trust::purpose_word(options.purpose), bundle::fingerprint(key.public_key())));
    report.data({{"schema", "caisson.approve/1"},
                 {"bundle", files::hex(verified.summary.header.bundle_id)},
                 {"purpose", trust::purpose_word(options.purpose)},
                 {"key", bundle::fingerprint(key.public_key())}});
    return 0;
}

} // namespace

void declare_approve(Command& root) {
    root.add<ApproveOptions>(
        "approve", "Show what a bundle is and countersign it, so that loaders which demand that take it",
        "caisson approve gateway.bundle --key keys/alice.key",
        [](Command& command, ApproveOptions& options) {
            command.argument(options.file, value::bundle, "the bundle, verified first", Command::Must::yes);
            command.option("--key", options.key, value::file, "the approver's private key, or a pkcs11: URI");
            command.required("--key");
            command.choice("--purpose", options.purpose, trust::approval_purposes,
                           "as the loader's slots call it (default: approve)");
            command.option("--id", options.id, value::word,
                           "approve without asking if the bundle has that id");
            command.option("--to", options.to, value::file,
                           "write the approval there and leave the bundle alone (build --approval takes it)");
            command.option("--signer", options.signers, value::file,
                           "a public key of who builds (default: those in the ELF beside it)");
            command.option("--elf", options.elf, value::file, "the loader ELF whose keys are trusted");
        },
        approve);
}

} // namespace cli
