// SPDX-License-Identifier: Apache-2.0
// image-tools/cli/command_pull.cpp - image pull, ls, gc: images from registries, kept in the cache.
#include "image-tools/cli/commands.hpp"
#include "image-tools/manifest/values.hpp"
#include "image-tools/registry/cache.hpp"
#include "image-tools/registry/images.hpp"

#include <algorithm>
#include <chrono>
#include <fmt/format.h>

namespace cli {
namespace {

constexpr std::uint64_t default_limit = std::uint64_t{10} << 30;

struct PullOptions {
    std::vector<std::string> references;
    std::string platform = "linux/amd64";
};

oci::Platform parse_platform(const std::string& text) {
    const auto first = text.find('/'),
               second = text.find('/', first == std::string::npos ? first : first + 1);
    if (first == std::string::npos || first == 0 || first + 1 == text.size())
        throw diagnostic::fail("E0101", "--platform: '" + text + "' is not OS/ARCHITECTURE[/VARIANT]")
            .help("write, for example, linux/amd64");
    return oci::Platform{text.substr(0, first), text.substr(first + 1, second - first - 1),
                         second == std::string::npos ? "" : text.substr(second + 1)}
        .normal();
}

int pull(const PullOptions& options, const Common& common, Report& report) {
    if (options.references.empty())
        throw diagnostic::fail("E0101", "no image is named").help("caisson image pull docker://NAME[:TAG]");
    registry::ImagesOptions how = image_options(common);
    how.platform = parse_platform(options.platform);
    how.progress = report.progress();
    registry::Images images(std::move(how));
    report.steps(static_cast<unsigned>(options.references.size()));
    Json items = Json::array();
    for (const std::string& text : options.references) {
        const oci::Reference reference = oci::parse_reference(text);
        if (reference.transport != oci::Transport::registry)
            throw diagnostic::fail("E0101", text + " is on this machine already")
                .help("docker://NAME[:TAG] is in a registry");
        const auto began = std::chrono::steady_clock::now();
        const std::uint64_t before = images.fetched_bytes();
        const oci::Image image = images.open(reference, registry::Ask::always);
        const std::uint64_t fetched = images.fetched_bytes() - before;
        const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - began;
        report.step("pull",
                    fmt::format("{}, {} {}, {} fetched", reference.text(), image.layers().size(),
                                image.layers().size() == 1 ? "layer" : "layers",
                                manifest::size_text(fetched)),
                    seconds.count());
        report.line(fmt::format("{}  {}", image.named_digest().text(), reference.text()));
        items.push_back({{"reference", reference.text()},
                         {"digest", image.named_digest().text()},
                         {"manifest", image.manifest_digest().text()},
                         {"platform", images.options().platform.text()},
                         {"bytes", image.packed_bytes()},
                         {"fetched", fetched}});
    }
    report.data({{"schema", "caisson.image-pull/1"}, {"items", items}});
    return 0;
}

Json images_json(const std::vector<registry::CachedImage>& images, const Report& report) {
    Json items = Json::array();
    for (const registry::CachedImage& image : images) {
        report.line(fmt::format("{:>10}  {}  {}  {}", manifest::size_text(image.bytes()),
                                image.digest.brief(), image.platform, image.reference));
        items.push_back({{"reference", image.reference},
                         {"platform", image.platform},
                         {"digest", image.digest.text()},
                         {"manifest", image.manifest.text()},
                         {"bytes", image.bytes()}});
    }
    return items;
}

struct CollectOptions {
    std::string max_size;
};

int collect(const CollectOptions& options, const Common&, Report& report) {
    const std::uint64_t limit = size_limit(options.max_size, default_limit);
    const auto removed = registry::Cache::collect(registry::Cache::standard_place(), limit, [&] {
        report.note("waiting for the other tools that use the cache");
    });
    report.data({{"schema", "caisson.image-gc/1"},
                 {"limit", limit},
                 {"blobs", removed.blobs},
                 {"bytes", removed.bytes},
                 {"items", images_json(removed.images, report)}});
    report.note(fmt::format("{} removed, {} blobs, {}", removed.images.size(), removed.blobs,
                            manifest::size_text(removed.bytes)));
    return 0;
}

} // namespace

int list_cached(const std::string& name, Report& report) {
    std::vector<registry::CachedImage> images = registry::Cache(registry::Cache::standard_place()).images();
    if (!name.empty()) {
        const std::string whole = registry::whole_name(oci::parse_reference(name));
        std::erase_if(images, [&](const registry::CachedImage& image) {
            return "docker://" + image.reference != whole;
        });
    }
    report.data({{"schema", "caisson.image-cache/1"}, {"items", images_json(images, report)}});
    return 0;
}

void declare_pull_commands(Command& image) {
    image.add<PullOptions>(
        "pull", "Bring images from their registries into the cache, as their tags are now",
        "caisson image pull docker://registry.example/web:1.27",
        [](Command& command, PullOptions& options) {
            command.argument(options.references, value::image, "docker://NAME[:TAG], or NAME[:TAG]");
            command.option("--platform", options.platform, value::word, "of an index, which image");
        },
        pull);
    image.add<CollectOptions>(
        "gc", "Remove what no pulled image needs, and the longest unused images",
        "caisson image gc --max-size 1GiB",
        [](Command& command, CollectOptions& options) {
            command.option("--max-size", options.max_size, value::size,
                           "what may stay (default: 10GiB; 0: nothing)");
        },
        collect);
}

} // namespace cli
