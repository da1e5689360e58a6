// SPDX-License-Identifier: Apache-2.0
// image-tools/cli/command_image.cpp - image create, ls, inspect.
#include "image-tools/build/build.hpp"
#include "image-tools/cli/commands.hpp"
#include "image-tools/manifest/values.hpp"
#include "image-tools/oci/create.hpp"
#include "image-tools/oci/image.hpp"
#include "image-tools/registry/images.hpp"

#include <fmt/format.h>

namespace cli {
namespace {

[[noreturn]] void usage(std::string message, std::string help) {
    throw diagnostic::fail("E0101", std::move(message)).help(std::move(help));
}

struct CreateOptions {
    std::string from, to, user, working_directory, stop_signal, architecture = "amd64";
    std::vector<std::string> entrypoint, arguments, environment, labels;
    bool keep_owner = false;
    bool compress = true;

    void declare(Command& command) {
        command.option("--from", from, value::path, "directory or tar file");
        command.required("--from");
        command.argument(to, value::image, "oci:DIR[:TAG]", Command::Must::yes);
        command.option("--entrypoint", entrypoint, value::word, "a word of ENTRYPOINT (repeat)");
        command.option("--cmd", arguments, value::word, "a word of Cmd (repeat)");
        command.option("--env", environment, value::variable, "a variable (repeat)");
        command.option("--label", labels, value::variable, "a label (repeat)");
        command.option("--user", user, value::user, "whom the program runs as");
        command.option("--workdir", working_directory, value::folder, "working directory");
        command.option("--stop-signal", stop_signal, value::signal, "for example SIGTERM");
        command.option("--arch", architecture, value::architecture, "architecture");
        command.flag("--keep-owner", keep_owner, "keep owners (default: root)");
        command.negative_flag("--no-compress", compress, "a plain tar layer");
    }
};

struct ReferenceOptions {
    std::string reference;
};

std::string joined(const std::vector<std::string>& words) {
    std::string out;
    for (const std::string& word : words)
        out += (out.empty() ? "" : " ") + word;
    return out;
}

int create(const CreateOptions& options, const Common&, Report& report) {
    oci::CreateOptions wanted;
    wanted.from = options.from;
    wanted.to = oci::parse_reference(options.to);
    wanted.entrypoint = options.entrypoint;
    wanted.cmd = options.arguments;
    for (const std::string& variable : options.environment)
        if (variable.find('=') == std::string::npos || variable.front() == '=')
            usage("'" + variable + "' is not NAME=value", "write: --env NAME=value");
    wanted.env = options.environment;
    for (const std::string& label : options.labels) {
        const std::size_t equals = label.find('=');
        if (equals == std::string::npos || equals == 0)
            usage("'" + label + "' is not NAME=value", "write: --label NAME=value");
        wanted.labels[label.substr(0, equals)] = label.substr(equals + 1);
    }
    wanted.user = options.user;
    wanted.working_dir = options.working_directory;
    wanted.stop_signal = options.stop_signal;
    wanted.architecture = options.architecture;
    wanted.epoch = build::source_date_epoch().value_or(0);
    wanted.keep_owner = options.keep_owner;
    wanted.compress = options.compress;
    report.steps(1);
    wanted.progress = report.progress();
    const oci::CreatedImage made = oci::create_image(wanted);
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

int list(const ReferenceOptions& options, const Common&, Report& report) {
    if (options.reference.empty() ||
        oci::parse_reference(options.reference).transport == oci::Transport::registry)
        return list_cached(options.reference, report);
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

int inspect(const ReferenceOptions& options, const Common& common, Report& report) {
    registry::ImagesOptions images = image_options(common);
    images.progress = report.progress();
    const oci::Image image = registry::Images(images).open(oci::parse_reference(options.reference));
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
    for (const std::string& note : image.notes())
        report.line("note         " + note);
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
                 {"notes", image.notes()},
                 {"items", layers}});
    return 0;
}

} // namespace

void declare_image_commands(Command& root) {
    Command image = root.group("image", "Make and look at OCI images");
    image.add<CreateOptions>(
        "create", "A single-layer image from a directory or tar file",
        "caisson image create --from root --entrypoint /bin/app oci:image",
        [](Command& command, CreateOptions& options) { options.declare(command); }, create);
    image.add<ReferenceOptions>(
        "ls", "What a layout or archive holds; without IMAGE, what was pulled",
        "caisson image ls oci-archive:web.tar",
        [](Command& command, ReferenceOptions& options) {
            command.argument(options.reference, value::image,
                             "oci:DIR, oci-archive:FILE, docker-archive:FILE, or a name in a registry");
        },
        list);
    image.add<ReferenceOptions>(
        "inspect", "An image's configuration and layers", "caisson image inspect oci:image",
        [](Command& command, ReferenceOptions& options) {
            command.argument(options.reference, value::image,
                             "oci:DIR[:TAG], oci-archive:FILE[:TAG], docker-archive:FILE[:TAG], "
                             "docker://NAME[:TAG]",
                             Command::Must::yes);
        },
        inspect);
    declare_pull_commands(image);
}

} // namespace cli
