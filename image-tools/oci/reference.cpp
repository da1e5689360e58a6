// SPDX-License-Identifier: Apache-2.0
#include "image-tools/oci/reference.hpp"

#include "image-tools/oci/failure.hpp"

#include <array>
#include <utility>

namespace oci {

namespace {

struct Scheme {
    Transport transport;
    std::string_view prefix;
};
constexpr std::array<Scheme, 3> schemes{Scheme{Transport::layout, "oci:"},
                                        Scheme{Transport::archive, "oci-archive:"},
                                        Scheme{Transport::docker_archive, "docker-archive:"}};

std::string_view prefix_of(Transport transport) {
    for (const Scheme& scheme : schemes) {
        if (scheme.transport == transport) {
            return scheme.prefix;
        }
    }
    return "";
}

// What the user most likely means, as the command that brings it here.
std::string help_for(std::string_view text) {
    std::string_view name = text;
    if (name.starts_with("docker://")) {
        name.remove_prefix(std::string_view("docker://").size());
    }
    std::string directory(name.substr(name.rfind('/') + 1));
    directory = directory.substr(0, directory.find_first_of(":@"));
    if (directory.empty()) {
        return "write oci:DIR[:TAG], oci-archive:FILE[:TAG] or docker-archive:FILE[:TAG]";
    }
    return "fetch it first:  skopeo copy docker://" + std::string(name) + " oci:" + directory +
           ":latest\n"
           "then write oci:" +
           directory + ":latest";
}

} // namespace

std::string Reference::text() const {
    std::string text(prefix_of(transport));
    text += path;
    if (!tag.empty()) {
        text += ":" + tag;
    }
    return text;
}

Reference Reference::resolved_from(const std::filesystem::path& directory) const {
    Reference resolved = *this;
    if (std::filesystem::path(path).is_relative()) {
        resolved.path = (directory / path).lexically_normal().string();
    }
    return resolved;
}

Reference parse_reference(std::string_view text) {
    for (const Scheme& scheme : schemes) {
        if (!text.starts_with(scheme.prefix)) {
            continue;
        }
        const std::string_view rest = text.substr(scheme.prefix.size());
        const auto colon = rest.find(':');
        Reference reference{scheme.transport, std::string(rest.substr(0, colon)), {}};
        if (colon != std::string_view::npos) {
            reference.tag = rest.substr(colon + 1);
            if (reference.tag.empty()) {
                throw diagnostic::fail(Fault::reference, printable(text) + " ends in a colon without a tag")
                    .help("leave the colon out, or name the tag");
            }
        }
        if (reference.path.empty() || reference.path.find('\0') != std::string::npos) {
            throw diagnostic::fail(Fault::reference,
                                   printable(text) + " names no " +
                                       (scheme.transport == Transport::layout ? "directory" : "file"));
        }
        return reference;
    }
    if (text.empty()) {
        throw diagnostic::fail(Fault::reference, "the image reference is empty").help(help_for(text));
    }
    throw diagnostic::fail(Fault::reference,
                           printable(text) +
                               " is not an image on this machine: registries are not supported yet")
        .help(help_for(text));
}

} // namespace oci
