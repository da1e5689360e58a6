// SPDX-License-Identifier: Apache-2.0
// image-tools/cli/command_artifact.cpp - artifact push, pull: bundles in registries, with what belongs to them.
#include "image-tools/bundle/verify.hpp"
#include "image-tools/cli/commands.hpp"
#include "image-tools/files/atomic_file.hpp"
#include "image-tools/registry/push.hpp"
#include "image-tools/sbom/bundle_bill.hpp"

#include <fmt/format.h>

namespace cli {
namespace {

constexpr const char* artifact_type = "application/vnd.caisson.bundle.v2";
constexpr const char* bundle_type = "application/vnd.caisson.bundle.v2+bundle";
constexpr const char* loader_type = "application/vnd.caisson.loader+elf";
constexpr const char* cyclonedx_type = "application/vnd.cyclonedx+json";
constexpr const char* provenance_type = "application/vnd.in-toto+json";
constexpr std::uint64_t largest_provenance = 4 << 20;

constexpr Value artifact_reference{"REFERENCE"};

struct ArtifactPush {
    std::string bundle, reference, provenance;
    bool without_bill = false;
};

struct ArtifactPull {
    std::string reference;
};

registry::ArtifactBlob file_blob(const char* type, const std::filesystem::path& file) {
    auto range = files::FileRange::open(file);
    if (!range)
        throw diagnostic::fail("E0601", file.string() + " does not exist");
    return {type, file.filename().string(), *std::move(range)};
}

int push_artifact(const ArtifactPush& options, const Common& common, Report& report) {
    const std::filesystem::path file = options.bundle;
    const bundle::FileSource source(file);
    const bundle::BundleSummary summary = bundle::summarize(source.source(), file.string());
    std::vector<registry::ArtifactBlob> blobs{file_blob(bundle_type, file)};
    const std::filesystem::path loader = std::filesystem::path(file).replace_extension(".elf");
    if (std::filesystem::exists(loader))
        blobs.push_back(file_blob(loader_type, loader));
    registry::Pusher pusher(oci::parse_reference(options.reference), image_options(common));
    const oci::Descriptor pushed = pusher.push(artifact_type, blobs);
    Json referrers = Json::array();
    const auto refer = [&](const char* type, registry::ArtifactBlob blob) {
        const oci::Descriptor one = pusher.push_referrer(type, {std::move(blob)}, pushed);
        report.line(fmt::format("  {}  {}", one.digest.text(), type));
        referrers.push_back({{"artifactType", type}, {"digest", one.digest.text()}});
    };
    report.line(pusher.name() + "@" + pushed.digest.text());
    if (!options.without_bill) {
        const sbom::Bill bill = sbom::bill_of(files::FileRange::open(file).value(), summary, {});
        refer(cyclonedx_type, {cyclonedx_type, file.stem().string() + ".cdx.json", sbom::cyclonedx(bill)});
    }
    if (!options.provenance.empty())
        refer(provenance_type,
              {provenance_type, std::filesystem::path(options.provenance).filename().string(),
               files::read_file(options.provenance, largest_provenance)});
    report.data({{"schema", "caisson.push/1"},
                 {"reference", pusher.name() + "@" + pushed.digest.text()},
                 {"digest", pushed.digest.text()},
                 {"referrers", referrers}});
    return 0;
}

int pull_artifact_files(const ArtifactPull& options, const Common& common, Report& report) {
    const std::filesystem::path folder = common.outputs.empty() ? "." : common.output();
    registry::ImagesOptions how = image_options(common);
    how.progress = report.progress();
    files::Digest digest;
    Json items = Json::array();
    for (const std::filesystem::path& file : registry::pull_artifact(oci::parse_reference(options.reference),
                                                                     artifact_type, folder, how, digest)) {
        report.line(file.string());
        items.push_back(file.string());
    }
    report.note("not verified: caisson verify, with a key that you trust");
    report.data({{"schema", "caisson.pull/1"}, {"digest", digest.text()}, {"items", items}});
    return 0;
}

} // namespace

void declare_artifact_commands(Command& root) {
    Command artifact = root.group("artifact", "Bundles in registries, as OCI artifacts");
    artifact.add<ArtifactPush>(
        "push", "Send a bundle, the loader beside it, its packages and its provenance to a registry",
        "caisson artifact push gateway.bundle docker://registry.example/team/gateway:1.0",
        [](Command& command, ArtifactPush& options) {
            command.argument(options.bundle, value::bundle, "the bundle", Command::Must::yes);
            command.argument(options.reference, artifact_reference, "where: docker://HOST/REPOSITORY:TAG",
                             Command::Must::yes);
            command.option("--provenance", options.provenance, value::file, "what build --provenance wrote");
            command.flag("--no-sbom", options.without_bill, "leave the list of packages out");
        },
        push_artifact);
    artifact.add<ArtifactPull>(
        "pull", "Bring a bundle and its loader from a registry (-o names a folder)",
        "caisson artifact pull docker://registry.example/team/gateway@sha256:... -o gateway",
        [](Command& command, ArtifactPull& options) {
            command.argument(options.reference, artifact_reference,
                             "docker://HOST/REPOSITORY:TAG or @sha256:DIGEST", Command::Must::yes);
        },
        pull_artifact_files);
}

} // namespace cli
