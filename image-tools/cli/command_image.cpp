// SPDX-License-Identifier: Apache-2.0
// image-tools/cli/command_image.cpp - image create, ls, inspect.
#include "image-tools/build/build.hpp"
#include "image-tools/cli/commands.hpp"
#include "image-tools/manifest/values.hpp"
#include "image-tools/oci/create.hpp"
#include "image-tools/oci/image.hpp"

#include <fmt/format.h>

namespace cli {
namespace {

[[noreturn]] void usage(std::string message, std::string help) {
    throw diagnostic::fail("E0101", std::move(message)).help(std::move(help));
}

std::string joined(const std::vector<std::string>& words) {
    std::string out;
    for (const std::string& word : words)
        out += (out.empty() ? "" : " ") + word;
    return out;
}

} // namespace

int image_create(const Options& options, Report& report) {
    oci::CreateOptions create;
    create.from = options.from;
    create.to = oci::parse_reference(options.to);
    create.entrypoint = options.entrypoint;
    create.cmd = options.arguments;
    for (const std::string& variable : options.environment)
        if (variable.find('=') == std::string::npos || variable.front() == '=')
            usage("'" + variable + "' is not NAME=value", "write: --env NAME=value");
    create.env = options.environment;
    for (const std::string& label : options.labels) {
        const std::size_t equals = label.find('=');
        if (equals == std::string::npos || equals == 0)
            usage("'" + label + "' is not NAME=value", "write: --label NAME=value");
        create.labels[label.substr(0, equals)] = label.substr(equals + 1);
    }
    create.user = options.user;
    create.working_dir = options.working_directory;
    create.stop_signal = options.stop_signal;
    create.architecture = options.architecture;
    create.epoch = build::source_date_epoch().value_or(0);
    create.keep_owner = options.keep_owner;
    create.compress = options.compress;
    const oci::CreatedImage made = oci::create_image(create);
    report.line(fmt::format("{}  {}  {} entries, {}", made.reference.text(), made.manifest.brief(),
                            made.entries, manifest::size_text(made.layer_bytes)));
    report.data({{"schema", "caisson.image-create/1"},
                 {"reference", made.reference.text()},
                 {"digest", made.manifest.text()},
                 {"layer", made.layer.text()},
                 {"layerBytes", made.layer_bytes},
                 {"entries", made.entries}});
    return 0;
}

int image_ls(const Options& options, Report& report) {
    Json items = Json::array();
    for (const oci::ImageEntry& entry : oci::list_images(oci::parse_reference(options.reference))) {
        std::string platforms;
        Json platform_list = Json::array();
        for (const oci::Platform& platform : entry.platforms) {
            platforms += (platforms.empty() ? "" : ", ") + platform.text();
            platform_list.push_back(platform.text());
        }
        report.line(fmt::format("{:<20} {}  {}", entry.tag.empty() ? "(no tag)" : entry.tag,
                                entry.descriptor.digest.brief(), platforms));
        items.push_back({{"tag", entry.tag},
                         {"digest", entry.descriptor.digest.text()},
                         {"mediaType", entry.descriptor.media_type},
                         {"platforms", platform_list}});
    }
    report.data({{"schema", "caisson.image-ls/1"}, {"items", items}});
    return 0;
}

int image_inspect(const Options& options, Report& report) {
    const oci::Image image = oci::Image::open(oci::parse_reference(options.reference));
    const oci::ImageConfig& config = image.config();
    Json layers = Json::array();
    report.line("image        " + image.name());
    report.line("digest       " + image.manifest_digest().text());
    report.line("platform     " + config.os + "/" + config.architecture);
    report.line("entrypoint   " + joined(config.entrypoint));
    report.line("cmd          " + joined(config.cmd));
    for (const std::string& variable : config.env)
        report.line("env          " + variable);
    report.line("workingDir   " + config.working_dir);
    report.line("user         " + config.user);
    report.line("stopSignal   " + config.stop_signal);
    for (const oci::Layer& layer : image.layers()) {
        report.line(fmt::format("layer        {}  {}", layer.blob.digest.text(),
                                manifest::size_text(layer.blob.size)));
        layers.push_back({{"digest", layer.blob.digest.text()},
                          {"diffId", layer.diff_id.text()},
                          {"size", layer.blob.size}});
    }
    report.data({{"schema", "caisson.image-inspect/1"},
                 {"reference", image.name()},
                 {"digest", image.manifest_digest().text()},
                 {"platform", config.os + "/" + config.architecture},
                 {"entrypoint", config.entrypoint},
                 {"cmd", config.cmd},
                 {"env", config.env},
                 {"workingDir", config.working_dir},
                 {"user", config.user},
                 {"stopSignal", config.stop_signal},
                 {"labels", config.labels},
                 {"items", layers}});
    return 0;
}

} // namespace cli
