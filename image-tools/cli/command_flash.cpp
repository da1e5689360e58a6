// SPDX-License-Identifier: Apache-2.0
// image-tools/cli/command_flash.cpp - flash: a disk image onto a disk, read back and compared.
#include "image-tools/build/media.hpp"
#include "image-tools/bundle/loader_elf.hpp"
#include "image-tools/bundle/verify.hpp"
#include "image-tools/cli/boot_file.hpp"
#include "image-tools/cli/commands.hpp"
#include "image-tools/disk/gpt.hpp"
#include "image-tools/flash/target.hpp"
#include "image-tools/flash/write.hpp"
#include "image-tools/manifest/values.hpp"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <fmt/format.h>
#include <iostream>
#include <unistd.h>

namespace cli {
namespace {

using manifest::size_text;

struct FlashOptions {
    std::string file, device, serial;
    bool yes = false, verify = false;
};

constexpr std::string_view no_serial = "none";

// A disk image that is whole and whose bundle its own loader accepts, or a board's scan: nothing else is worth a disk.
struct Image {
    disk::Medium medium;
    std::optional<bundle::Verified> verified; // nothing: a scan, which has no bundle
};

Image open_image(const std::filesystem::path& file) {
    const BootFile opened = open_medium(file);
    if (!opened.medium || opened.medium->kind != disk::MediumKind::disk)
        throw diagnostic::fail("E0424", file.string() + " is not the image of a disk")
            .help("caisson build -o NAME.img writes one");
    if (build::is_scan_file(opened.bundle()))
        return {*opened.medium, std::nullopt};
    if (!bundle::is_bundle(opened.bundle()))
        throw diagnostic::fail("E0501",
                               file.string() +
                                   ": where its bundle must be is neither one nor the mark of a board's scan")
            .help("do not use this file; build or copy it again");
    const bundle::FileSource source(opened.bundle());
    return {*opened.medium,
            bundle::verify(source.source(), bundle::keys_of_loadable_part(opened.loader), file.string())};
}

std::string described(const flash::Target& target) {
    std::string out = target.name;
    if (target.device)
        out += fmt::format(": {}", target.model.empty() ? "no model said" : target.model);
    out += fmt::format(", {}", size_text(target.bytes));
    if (target.device)
        out += fmt::format(", serial {}{}", target.serial.empty() ? no_serial : target.serial,
                           target.removable ? ", removable" : "");
    return out;
}

void refuse_unfit(const flash::Target& target, const Image& image, const FlashOptions& options) {
    std::error_code error;
    if (std::filesystem::equivalent(options.file, target.path, error))
        throw diagnostic::fail("E0608", target.path.string() + " is the image itself");
    if (!target.against.empty() && !options.verify)
        throw diagnostic::fail("E0608",
                               "will not write to " + target.path.string() + " (" + described(target) + ")")
            .notes(target.against)
            .help("name a whole disk that nothing uses; lsblk shows them");
    const std::uint64_t least = disk::least_disk(image.medium.layout);
    if (target.bytes < least)
        throw diagnostic::fail("E0806", fmt::format("{} has {} bytes, the image needs {}",
                                                    target.path.string(), target.bytes, least));
}

// Whoever writes says which disk is meant, by its name or its serial number.
void ask(const flash::Target& target, const FlashOptions& options) {
    const std::string serial = target.serial.empty() ? std::string(no_serial) : target.serial;
    if (!options.serial.empty() && target.device && options.serial != serial)
        throw diagnostic::fail("E0101", fmt::format("--serial {}: {} has the serial number {}",
                                                    options.serial, target.path.string(), serial))
            .help("it is another disk than the one you mean");
    if (options.yes) {
        if (target.device && options.serial.empty())
            throw diagnostic::fail("E0101", "--yes goes with the serial number of the disk")
                .help(fmt::format("if it is {}: --yes --serial {}", described(target), serial));
        return;
    }
    if (::isatty(STDIN_FILENO) == 0)
        throw diagnostic::fail("E0101",
                               "nobody can be asked whether " + target.path.string() + " may be overwritten")
            .help(fmt::format("{} is {}; to write to it: --yes{}", target.path.string(), described(target),
                              target.device ? " --serial " + serial : ""));
    std::cerr << fmt::format("{} is {}\nAll that is on it will be lost. Its name, to go on ({}): ",
                             target.path.string(), described(target), target.name)
              << std::flush;
    std::string answer;
    std::getline(std::cin, answer);
    if (answer != target.name)
        throw diagnostic::fail("E0101",
                               fmt::format("'{}' is not {}: nothing was written", answer, target.name));
}

Json target_json(const flash::Target& target) {
    return {{"path", target.path.string()},
            {"name", target.name},
            {"model", target.model},
            {"serial", target.serial},
            {"bytes", target.bytes}};
}

Json image_json(const Image& image) {
    if (!image.verified)
        return {{"name", "board scan"}, {"bytes", disk::least_disk(image.medium.layout)}};
    const bundle::BundleSummary& summary = image.verified->summary;
    return {{"name", summary.name()},
            {"version", summary.version()},
            {"id", files::hex(summary.header.bundle_id)},
            {"bytes", disk::least_disk(image.medium.layout)}};
}

int compare(const flash::Target& target, const Image& image, const FlashOptions& options, Report& report) {
    const auto disk = flash::open_disk(target.path, flash::Access::read);
    const flash::Comparison result = flash::compare(*disk, image.medium, report.progress());
    std::string word = "complete";
    switch (result.found) {
    case flash::Found::complete:
        report.line(fmt::format("{} holds {}, byte for byte", target.path.string(), options.file));
        break;
    case flash::Found::incomplete:
        word = "incomplete";
        report.line(fmt::format("{} is incomplete: its writing was not finished, and nothing boots from it. "
                                "Flash it again.",
                                target.path.string()));
        break;
    case flash::Found::different:
        word = "different";
        report.line(fmt::format("{} holds something else than {}, from byte {} on", target.path.string(),
                                options.file, result.first_difference));
        break;
    }
    report.data({{"schema", "caisson.flash/1"},
                 {"device", target_json(target)},
                 {"image", image_json(image)},
                 {"result", word}});
    return result.found == flash::Found::complete ? 0 : static_cast<int>(diagnostic::ExitCode::answer_is_no);
}

void say_what_it_boots(const flash::Target& target, const Image& image, Report& report) {
    if (!image.verified) {
        report.line(fmt::format(
            "{} boots a scan of the board on a machine with UEFI: record its serial line, or look "
            "into its EFI/caisson/board.json afterwards",
            target.path.string()));
        return;
    }
    const bundle::BundleSummary& summary = image.verified->summary;
    report.line(fmt::format("{} boots {} {} on a machine with UEFI", target.path.string(), summary.name(),
                            summary.version()));
    report.line(fmt::format("It will say: bundle id {}, key {}{}",
                            files::hex(summary.header.bundle_id).substr(0, 16),
                            bundle::fingerprint(image.verified->key),
                            image.verified->signer.development ? "  DEVELOPMENT KEY" : ""));
}

int flash_disk(const FlashOptions& options, const Common&, Report& report) {
    const Image image = open_image(options.file);
    const flash::Target target = flash::examine(options.device);
    refuse_unfit(target, image, options);
    if (options.verify)
        return compare(target, image, options, report);
    ask(target, options);
    const auto began = std::chrono::steady_clock::now();
    report.steps(1);
    {
        const auto disk = flash::open_disk(target.path, flash::Access::write);
        flash::write(*disk, image.medium, report.progress());
    }
    const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count();
    const std::uint64_t bytes = image.medium.partition.size;
    report.step("flash",
                fmt::format("{} written and read back, {} a second", size_text(bytes),
                            size_text(static_cast<std::uint64_t>(static_cast<double>(bytes) /
                                                                 std::max(seconds, 0.001)))),
                seconds);
    say_what_it_boots(target, image, report);
    report.data({{"schema", "caisson.flash/1"},
                 {"device", target_json(target)},
                 {"image", image_json(image)},
                 {"result", "complete"},
                 {"seconds", seconds}});
    return 0;
}

} // namespace

void declare_flash(Command& root) {
    root.add<FlashOptions>(
        "flash", "Write a disk image to a disk, read it back and compare",
        "caisson flash gateway.img /dev/sdX",
        [](Command& command, FlashOptions& options) {
            command.argument(options.file, value::file, "what build -o NAME.img wrote", Command::Must::yes);
            command.argument(options.device, value::device, "the disk, or a file as large as one",
                             Command::Must::yes);
            command.flag("--yes", options.yes, "do not ask; with --serial");
            command.option("--serial", options.serial, value::name,
                           "the serial number of the disk that is meant (none: it has none)");
            command.flag("--verify", options.verify, "write nothing: does the disk hold this image?");
        },
        flash_disk);
}

} // namespace cli
