// SPDX-License-Identifier: Apache-2.0
// image-tools/cli/command_lock.cpp - lock: which image every reference of a manifest is, written down by digest.
#include "image-tools/build/build.hpp"
#include "image-tools/cli/commands.hpp"
#include "image-tools/files/atomic_file.hpp"
#include "image-tools/manifest/manifest.hpp"
#include "image-tools/registry/images.hpp"
#include "image-tools/trust/gather.hpp"

#include <fmt/format.h>

namespace cli {
namespace {

struct LockOptions {
    std::string file;
};

// What a manifest's references are now.
registry::LockFile look(const manifest::Manifest& manifest, registry::Images& images) {
    registry::LockFile out;
    const std::optional<trust::Policy> policy = build::policy_of(manifest);
    for (const manifest::Partition& partition : manifest.partitions) {
        if (!partition.image)
            continue;
        try {
            const oci::Reference reference = oci::parse_reference(partition.image->value);
            const oci::Image image =
                images.open(reference.resolved_from(manifest.directory), registry::Ask::always);
            std::string key;
            if (policy)
                key = trust::judge_image(*policy, reference.resolved_from(manifest.directory), image, images,
                                         registry::Ask::always)
                          .key;
            out.pin({reference.text(), images.options().platform.text(), image.named_digest(),
                     image.manifest_digest(), key});
        } catch (diagnostic::Failure& failure) {
            throw failure.at_if_nowhere(manifest.source.place(partition.image->spot));
        }
    }
    return out;
}

// One line a reference: what it is, and what it was where that is another.
std::vector<std::string> changes(const registry::LockFile& before, const registry::LockFile& after) {
    std::vector<std::string> out;
    for (const registry::Pin& pin : after.pins()) {
        const registry::Pin* was = before.find(pin.reference, pin.platform);
        if (was == nullptr)
            out.push_back(pin.reference + " is new: " + pin.digest.brief());
        else if (was->digest == pin.digest && was->manifest == pin.manifest && *was != pin)
            out.push_back(pin.reference + ": signed by " +
                          (was->signed_by.empty() ? "nobody" : was->signed_by) + " -> " +
                          (pin.signed_by.empty() ? "nobody" : pin.signed_by));
        else if (*was != pin)
            out.push_back(pin.reference + ": " + was->digest.brief() + " -> " + pin.digest.brief());
    }
    for (const registry::Pin& pin : before.pins())
        if (after.find(pin.reference, pin.platform) == nullptr)
            out.push_back(pin.reference + " is not in the manifest any more");
    return out;
}

int lock(const LockOptions& options, const Common& common, Report& report) {
    const std::filesystem::path manifest_path = manifest_file(options.file, common);
    if (manifest_path == "-" && common.outputs.empty())
        throw diagnostic::fail("E0101", "a manifest on stdin has no place for its lock file")
            .help("name it with -o");
    const manifest::Manifest manifest = manifest::load(manifest_path);
    const std::filesystem::path file = common.outputs.empty()
                                           ? registry::LockFile::beside(manifest.source.file())
                                           : std::filesystem::path(common.output());
    registry::ImagesOptions how = image_options(common);
    how.progress = report.progress();
    registry::Images images(std::move(how));
    const registry::LockFile before = registry::LockFile::load(file).value_or(registry::LockFile());
    const registry::LockFile after = look(manifest, images);
    const std::vector<std::string> changed = changes(before, after);
    if (common.locked && !changed.empty())
        throw diagnostic::fail("E0509", file.string() + " does not say what the references are now")
            .notes(changed)
            .help("if that is meant: caisson lock");
    if (!common.locked) {
        files::AtomicFile out(file);
        out.write(files::bytes_of(after.text()));
        out.commit();
    }
    for (const std::string& line : changed)
        report.note(line);
    Json items = Json::array();
    for (const registry::Pin& pin : after.pins()) {
        report.line(fmt::format("{}  {}", pin.digest.text(), pin.reference));
        items.push_back({{"reference", pin.reference},
                         {"platform", pin.platform},
                         {"digest", pin.digest.text()},
                         {"manifest", pin.manifest.text()}});
    }
    report.data(
        {{"schema", "caisson.lock/1"}, {"file", file.string()}, {"changes", changed}, {"items", items}});
    return 0;
}

} // namespace

void declare_lock(Command& root) {
    root.add<LockOptions>(
        "lock",
        "Pin the manifest's images: appliance.lock says which each tag is (--locked: it must say so already)",
        "caisson lock",
        [](Command& command, LockOptions& options) { declare_manifest_file(command, options.file); }, lock);
}

} // namespace cli
