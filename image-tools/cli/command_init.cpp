// SPDX-License-Identifier: Apache-2.0
// image-tools/cli/command_init.cpp - init: a manifest that boots, for an image that is there.
#include "image-tools/cli/commands.hpp"
#include "image-tools/files/atomic_file.hpp"
#include "image-tools/manifest/manifest.hpp"
#include "image-tools/oci/image.hpp"
#include "image-tools/oci/reference.hpp"
#include "image-tools/registry/images.hpp"

#include <algorithm>
#include <cctype>
#include <fmt/format.h>

namespace cli {
namespace {

// A partition's name out of a reference: "oci:./images/My_Web:1.27" -> "my-web".
std::string name_for(const oci::Reference& reference) {
    std::string name = std::filesystem::path(reference.path).lexically_normal().filename().string();
    name = name.substr(0, name.find('.'));
    for (char& c : name)
        c = std::isalnum(static_cast<unsigned char>(c)) != 0
                ? static_cast<char>(std::tolower(static_cast<unsigned char>(c)))
                : '-';
    while (name.starts_with('-'))
        name.erase(0, 1);
    constexpr std::size_t longest = 31;
    name = name.substr(0, longest);
    return name.empty() || name == "hv" ? "app" : name;
}

// Room for what the unikernel takes and for the writable part beside the unpacked files it maps.
std::uint64_t memory_for(const oci::Image& image) {
    constexpr std::uint64_t mebibyte = std::uint64_t{1} << 20, least = 64;
    std::uint64_t need = least + 2 * image.packed_bytes() / mebibyte;
    std::uint64_t power = least;
    while (power < need)
        power *= 2;
    return power;
}

struct InitOptions {
    std::string from;
};

int init(const InitOptions& options, const Common& common, Report& report) {
    const std::string image_text = options.from.empty() ? "oci:./image" : options.from;
    const oci::Reference reference = oci::parse_reference(image_text);
    std::string name = "app";
    std::uint64_t memory = 64;
    std::string command;
    if (!options.from.empty()) {
        registry::ImagesOptions images = image_options(common);
        images.progress = report.progress();
        const oci::Image image = registry::Images(images).open(reference);
        name = name_for(reference);
        memory = memory_for(image);
        if (image.config().entrypoint.empty() && image.config().cmd.empty())
            command = "    entrypoint: [/bin/app]   # the image names no command: write the program here\n";
    }
    const std::string text =
        fmt::format("# An appliance: which containers one machine runs. Every key: docs/manifest.md.\n"
                    "apiVersion: caisson/v1\n"
                    "name: {0}\n"
                    "version: 0.1.0\n"
                    "machine: {{board: qemu-q35, cpus: 1, memory: {3}MiB}}\n"
                    "partitions:\n"
                    "  {0}:\n"
                    "    image: \"{1}\"\n"
                    "    cpus: 1\n"
                    "    memory: {2}MiB\n"
                    "{4}",
                    name, image_text, memory, memory * 2 + 128, command);
    const std::string file = common.outputs.empty() ? "appliance.yaml" : common.output();
    static_cast<void>(manifest::parse(file, text, {})); // what is written can be read
    if (!files::write_new_file(file, text, 0644))
        throw diagnostic::fail("E0602", file + " exists already and is not overwritten")
            .help("choose another name with -o, or edit it");
    report.line(file);
    report.note(options.from.empty() ? "now make the image it names (caisson image create), then: caisson run"
                                     : "now: caisson check, then: caisson run");
    report.data({{"schema", "caisson.init/1"}, {"file", file}, {"partition", name}});
    return 0;
}

} // namespace

void declare_init(Command& root) {
    root.add<InitOptions>(
        "init", "Write a manifest that boots, to begin with", "caisson init --from oci:./web",
        [](Command& command, InitOptions& options) {
            command.option("--from", options.from, value::image,
                           "the image it runs, looked into for its name and size");
        },
        init);
}

} // namespace cli
