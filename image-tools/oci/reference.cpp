// SPDX-License-Identifier: Apache-2.0
#include "image-tools/oci/reference.hpp"

#include "image-tools/oci/failure.hpp"
#include "image-tools/oci/registry_name.hpp"

#include <algorithm>
#include <array>
#include <utility>

namespace oci {

namespace {

struct Scheme {
    Transport transport;
    std::string_view prefix;
};
constexpr std::string_view registry_prefix = "docker://";
constexpr std::array<Scheme, 4> schemes{
    Scheme{Transport::layout, "oci:"}, Scheme{Transport::archive, "oci-archive:"},
    Scheme{Transport::docker_archive, "docker-archive:"}, Scheme{Transport::registry, registry_prefix}};

std::string_view prefix_of(Transport transport) {
    for (const Scheme& scheme : schemes) {
        if (scheme.transport == transport) {
            return scheme.prefix;
        }
    }
    return "";
}

// Other places that tools write images to, and the command that brings one here; NAME is what stands after the prefix.
struct Place {
    std::string_view prefix, before, between; // "podman save --format oci-archive -o FILE NAME"
    std::string_view scheme;
};
constexpr std::array<Place, 4> places{
    Place{"containers-storage:", "podman save --format oci-archive -o ", " ", "oci-archive:"},
    Place{"docker-daemon:", "docker save -o ", " ", "docker-archive:"}, Place{"dir:", "", "", ""},
    Place{"sif:", "", "", ""}};

constexpr const char* forms =
    "write docker://NAME[:TAG], oci:DIR[:TAG], oci-archive:FILE[:TAG] or docker-archive:FILE[:TAG]";

// The last part of a name as a folder or file, and its tag: "registry/a/nginx:1.27" -> "nginx", "1.27".
std::pair<std::string, std::string> folder_and_tag(std::string_view name) {
    std::string last(name.substr(name.rfind('/') + 1));
    const auto end = last.find_first_of(":@");
    std::string tag = end != std::string::npos && last[end] == ':' ? last.substr(end + 1) : "latest";
    return {last.substr(0, end), tag.substr(0, tag.find('@'))};
}

// A path without a scheme: what lies there says which one it needs.
std::string help_for_path(const std::string& path) {
    std::error_code error;
    if (std::filesystem::is_directory(path, error)) {
        return std::filesystem::exists(std::filesystem::path(path) / "index.json", error)
                   ? "write oci:" + path
                   : "a root file system becomes an image by: caisson image create --from " + path +
                         " oci:DIR";
    }
    return "write docker-archive:" + path + " (docker save) or oci-archive:" + path +
           "; a root file system becomes an image by: caisson image create --from " + path + " oci:DIR";
}

bool lies_here(std::string_view text) {
    std::error_code error;
    return !text.empty() && text.find('\0') == std::string_view::npos &&
           std::filesystem::exists(std::string(text), error);
}

// What the user most likely means, as the command that brings it here.
std::string help_for(std::string_view text) {
    if (lies_here(text)) {
        return help_for_path(std::string(text));
    }
    for (const Place& place : places) {
        if (!text.starts_with(place.prefix)) {
            continue;
        }
        const std::string_view name = text.substr(place.prefix.size());
        const auto [folder, tag] = folder_and_tag(name);
        if (place.before.empty()) {
            return "copy it first:  skopeo copy " + std::string(text) + " oci:" + folder + ":" + tag +
                   "\nthen write oci:" + folder + ":" + tag;
        }
        return "save it first:  " + std::string(place.before) + folder + ".tar" + std::string(place.between) +
               std::string(name) + "\nthen write " + std::string(place.scheme) + folder + ".tar";
    }
    return forms;
}

} // namespace

std::string Reference::text() const {
    std::string text(prefix_of(transport));
    text += path;
    if (!tag.empty()) {
        text += ":" + tag;
    }
    if (digest) {
        text += "@" + digest->text();
    }
    return text;
}

std::string full_docker_name(std::string name) {
    const auto slash = name.rfind('/');
    if (name.find(':', slash == std::string::npos ? 0 : slash) == std::string::npos &&
        name.find('@') == std::string::npos) {
        name += ":latest";
    }
    const auto first = name.find('/');
    const std::string host = name.substr(0, first);
    const bool has_host =
        first != std::string::npos && (host.find_first_of(".:") != std::string::npos || host == "localhost");
    if (!has_host) {
        const std::string inside =
            first == std::string::npos ? std::string(default_namespace) + "/" + name : std::move(name);
        name = std::string(default_registry) + "/" + inside;
    }
    return name;
}

Reference Reference::resolved_from(const std::filesystem::path& directory) const {
    Reference resolved = *this;
    if (transport != Transport::registry && std::filesystem::path(path).is_relative()) {
        resolved.path = (directory / path).lexically_normal().string();
    }
    return resolved;
}

namespace {

// A name in a registry, with its transport or alone. Nothing: it cannot be one.
std::optional<Reference> registry_reference(std::string_view text) {
    const bool explicitly = text.starts_with(registry_prefix);
    const bool elsewhere = std::any_of(places.begin(), places.end(),
                                       [&](const Place& place) { return text.starts_with(place.prefix); });
    if (!explicitly && (elsewhere || lies_here(text))) {
        return std::nullopt;
    }
    std::string problem;
    auto name = parse_registry_name(explicitly ? text.substr(registry_prefix.size()) : text, problem);
    if (name) {
        const std::string path = (name->host.empty() ? "" : name->host + "/") + name->repository;
        return Reference{Transport::registry, path, name->tag, name->digest};
    }
    if (explicitly) {
        throw diagnostic::fail(Fault::reference, printable(text) + ": " + problem)
            .help("write docker://[HOST[:PORT]/]REPOSITORY[:TAG][@sha256:DIGEST]");
    }
    return std::nullopt;
}

} // namespace

Reference parse_reference(std::string_view text) {
    for (const Scheme& scheme : schemes) {
        if (scheme.transport == Transport::registry || !text.starts_with(scheme.prefix)) {
            continue;
        }
        std::string_view rest = text.substr(scheme.prefix.size());
        std::optional<files::Digest> digest;
        if (const auto at = rest.rfind("@sha"); at != std::string_view::npos) {
            digest = files::Digest::parse(rest.substr(at + 1));
            if (!digest) {
                throw diagnostic::fail(Fault::reference, printable(rest.substr(at + 1)) + " is not a digest")
                    .help("write @sha256: and its 64 digits");
            }
            rest = rest.substr(0, at);
        }
        const auto colon = rest.find(':');
        Reference reference{scheme.transport, std::string(rest.substr(0, colon)), {}, digest};
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
    if (auto reference = registry_reference(text)) {
        return *std::move(reference);
    }
    throw diagnostic::fail(Fault::reference,
                           printable(text) + (lies_here(text) ? " does not say what kind of image it is"
                                                              : " is not a reference to an image"))
        .help(help_for(text));
}

} // namespace oci
