// SPDX-License-Identifier: Apache-2.0
// image-tools/cli/command_attest.cpp - pcrs, attest replay: what a TPM will hold, and whether a log says that it did.
#include "image-tools/attest/replay.hpp"
#include "image-tools/bundle/loader_elf.hpp"
#include "image-tools/cli/boot_file.hpp"
#include "image-tools/cli/commands.hpp"
#include "image-tools/diagnostic/neutral.hpp"
#include "image-tools/disk/authenticode.hpp"
#include "image-tools/files/atomic_file.hpp"

#include <fmt/format.h>

namespace cli {
namespace {

struct PcrsOptions {
    std::string file, elf;
};
struct ReplayOptions {
    std::string log, bundle, elf;
};

// What boots: its events, and the application that firmware measures, if it is one.
struct Predicted {
    std::vector<attest::Event> events;
    std::string application; // the bytes that Authenticode hashes, or empty
};

Predicted predict(const std::filesystem::path& file, const std::string& elf_option) {
    const BootFile opened = open_medium(file);
    opened.expect_bundle();
    const bundle::FileSource source(opened.bundle());
    if (opened.medium) {
        if (!elf_option.empty())
            throw diagnostic::fail("E0101", "--elf: " + file.string() + " has its loader in it");
        return {attest::predict(source.source(), bundle::keys_of_loadable_part(opened.loader),
                                bundle::build_id_of(opened.loader), file.string()),
                disk::authenticode_bytes(opened.application)};
    }
    const std::filesystem::path elf = elf_option.empty()
                                          ? std::filesystem::path(file).replace_extension(".elf")
                                          : std::filesystem::path(elf_option);
    if (!std::filesystem::exists(elf))
        throw diagnostic::fail("E0504",
                               "the loader " + elf.string() + " does not exist: what it is, is measured too")
            .help("name it with --elf FILE");
    const std::string loader = files::read_file(elf, bundle::largest_elf);
    return {
        attest::predict(source.source(), bundle::keys_of(loader), bundle::build_id_of(loader), file.string()),
        ""};
}

std::string hex(const std::string& bytes) {
    return files::hex(files::bytes_of(bytes));
}

int pcrs(const PcrsOptions& options, const Common&, Report& report) {
    const Predicted predicted = predict(options.file, options.elf);
    Json events = Json::array(), values = Json::object(), starter = Json::object();
    for (const attest::Event& event : predicted.events) {
        report.line(fmt::format("PCR {:<3} {}", event.pcr, event.descriptor));
        Json item{{"pcr", event.pcr}, {"descriptor", event.descriptor}};
        for (const std::string_view bank : attest::banks)
            item[std::string(bank)] = hex(attest::digest(bank, event.descriptor));
        events.push_back(item);
    }
    for (const std::string_view bank : attest::banks) {
        report.line("");
        report.line(fmt::format("{}:", bank));
        Json& of_bank = values[std::string(bank)] = Json::object();
        for (const auto& [pcr, value] : attest::pcrs_after(predicted.events, bank)) {
            report.line(fmt::format("  {:<3} {}", pcr, hex(value)));
            of_bank[std::to_string(pcr)] = hex(value);
        }
        if (!predicted.application.empty()) {
            const std::string value = hex(attest::digest(bank, predicted.application));
            report.line(fmt::format("  4   is extended by firmware with {} for this application", value));
            starter[std::string(bank)] = value;
        }
    }
    report.data(
        {{"schema", "caisson.pcrs/1"}, {"pcrs", values}, {"application", starter}, {"items", events}});
    return 0;
}

int replay(const ReplayOptions& options, const Common&, Report& report) {
    constexpr std::uint64_t largest_log = std::uint64_t{1} << 30;
    const Predicted predicted = predict(options.bundle, options.elf);
    const attest::Replay found = attest::replay(files::read_file(options.log, largest_log), predicted.events);
    std::string names;
    for (const std::string& bank : found.banks)
        names += (names.empty() ? "" : ", ") + bank;
    for (const std::string& finding : found.findings)
        report.line(diagnostic::neutral(finding));
    if (found.findings.empty())
        report.line(fmt::format("OK {} events, banks {}: what was measured is what {} has", found.events,
                                names, options.bundle));
    report.data({{"schema", "caisson.attest-replay/1"},
                 {"events", found.events},
                 {"banks", found.banks},
                 {"items", found.findings}});
    return found.findings.empty() ? 0 : static_cast<int>(diagnostic::ExitCode::answer_is_no);
}

} // namespace

void declare_attest_commands(Command& root) {
    root.add<PcrsOptions>(
        "pcrs", "Predict what a TPM will hold when a bundle, .efi, .img or .iso has booted",
        "caisson pcrs gateway.img --format json",
        [](Command& command, PcrsOptions& options) {
            command.bundle(options.file, value::bundle);
            command.option("--elf", options.elf, value::file,
                           "the loader ELF (default: that beside the bundle)");
        },
        pcrs);
    Command attest = root.group("attest", "Judge what a machine says that it measured");
    attest.add<ReplayOptions>(
        "replay", "Does an audit log hold just the measurements that a bundle leads to?",
        "caisson attest replay run.jsonl --bundle gateway.bundle",
        [](Command& command, ReplayOptions& options) {
            command.argument(options.log, value::log, "what run --audit or console --audit wrote",
                             Command::Must::yes);
            command.option("--bundle", options.bundle, value::bundle,
                           "what should have booted, or its .efi, .img, .iso");
            command.option("--elf", options.elf, value::file,
                           "the loader ELF (default: that beside the bundle)");
            command.required("--bundle");
        },
        replay);
}

} // namespace cli
