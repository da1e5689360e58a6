// SPDX-License-Identifier: Apache-2.0
// image-tools/oci/manifest.cpp - the documents of an image: descriptors, index, manifest, config.
#include "image-tools/oci/failure.hpp"
#include "image-tools/oci/image_loader.hpp"

#include <array>
#include <nlohmann/json.hpp>
#include <utility>

namespace oci {

namespace {

constexpr std::array<std::string_view, 2> index_types{
    "application/vnd.oci.image.index.v1+json", "application/vnd.docker.distribution.manifest.list.v2+json"};
constexpr std::array<std::string_view, 2> manifest_types{
    "application/vnd.oci.image.manifest.v1+json", "application/vnd.docker.distribution.manifest.v2+json"};
constexpr std::array<std::string_view, 2> config_types{"application/vnd.oci.image.config.v1+json",
                                                       "application/vnd.docker.container.image.v1+json"};
// Registries that did not know better typed configs so (moby#22378); the content tells.
constexpr std::array<std::string_view, 2> untyped{"application/octet-stream", "text/html"};
constexpr std::array<std::string_view, 4> layer_types{
    "application/vnd.oci.image.layer.v1.tar", "application/vnd.oci.image.layer.nondistributable.v1.tar",
    "application/vnd.docker.image.rootfs.diff.tar", "application/vnd.docker.image.rootfs.foreign.diff.tar"};

template <std::size_t Count>
bool contains(const std::array<std::string_view, Count>& list, std::string_view item) {
    for (const std::string_view known : list) {
        if (known == item) {
            return true;
        }
    }
    return false;
}

files::Digest parse_digest(const std::string& text, const std::string& what) {
    const auto digest = files::Digest::parse(text);
    if (!digest) {
        throw diagnostic::fail(Fault::malformed, what + ": " + printable(text) + " is not a sha256 digest");
    }
    return *digest;
}

void check_schema(const JsonObject& object) {
    if (object.required_number("schemaVersion") != 2) {
        throw diagnostic::fail(Fault::media_type, object.what() + ": schemaVersion is not 2")
            .help("schema 1 images are obsolete: copy the image with skopeo, which converts it");
    }
}

// The document's own mediaType must agree with what the descriptor said it is.
template <std::size_t Count>
void check_media_type(const JsonObject& object, const std::array<std::string_view, Count>& expected) {
    const auto type = object.text("mediaType");
    if (type && !contains(expected, *type)) {
        throw diagnostic::fail(Fault::malformed, object.what() + " says it is a " + printable(*type));
    }
}

bool digits_at(std::string_view text, std::size_t at, std::size_t count, int& value) {
    value = 0;
    for (std::size_t i = at; i < at + count; ++i) {
        if (i >= text.size() || text[i] < '0' || text[i] > '9') {
            return false;
        }
        value = value * 10 + (text[i] - '0');
    }
    return true;
}

// Days since 1970-01-01 of a date of the Gregorian calendar.
std::int64_t days_of(int year, int month, int day) {
    const std::int64_t shifted = month <= 2 ? year - 1 : year;
    const std::int64_t era = (shifted >= 0 ? shifted : shifted - 399) / 400;
    const std::int64_t year_of_era = shifted - era * 400;
    const std::int64_t day_of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    const std::int64_t day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    return era * 146097 + day_of_era - 719468;
}

} // namespace

bool is_index(std::string_view media_type) {
    return contains(index_types, media_type);
}
bool is_manifest(std::string_view media_type) {
    return contains(manifest_types, media_type);
}
bool is_image_config(std::string_view media_type) {
    return contains(config_types, media_type);
}

Compression layer_compression(std::string_view media_type, const std::string& what) {
    for (const std::string_view base : layer_types) {
        if (!media_type.starts_with(base)) {
            continue;
        }
        const std::string_view suffix = media_type.substr(base.size());
        if (suffix.empty()) {
            return Compression::none;
        }
        if (suffix == "+gzip" || suffix == ".gzip") {
            return Compression::gzip;
        }
        if (suffix == "+zstd" || suffix == ".zstd") {
            return Compression::zstd;
        }
    }
    throw diagnostic::fail(Fault::media_type,
                           what + ": the media type " + printable(media_type) + " is not a layer we read")
        .help("layers are tar, tar+gzip or tar+zstd; copy the image with skopeo to convert it");
}

std::optional<std::int64_t> parse_rfc3339(std::string_view text) {
    int year = 0;
    int month = 0;
    int day = 0;
    int hour = 0;
    int minute = 0;
    int second = 0;
    const bool shape = digits_at(text, 0, 4, year) && digits_at(text, 5, 2, month) &&
                       digits_at(text, 8, 2, day) && digits_at(text, 11, 2, hour) &&
                       digits_at(text, 14, 2, minute) && digits_at(text, 17, 2, second) && text[4] == '-' &&
                       text[7] == '-' && (text[10] == 'T' || text[10] == 't') && text[13] == ':' &&
                       text[16] == ':';
    if (!shape || month < 1 || month > 12 || day < 1 || day > 31 || hour > 23 || minute > 59 || second > 60) {
        return std::nullopt;
    }
    std::size_t at = 19;
    if (at < text.size() && text[at] == '.') {
        do {
            ++at;
        } while (at < text.size() && text[at] >= '0' && text[at] <= '9');
    }
    int offset = 0;
    const std::string_view zone = text.substr(at);
    if (zone != "Z" && zone != "z") {
        int zone_hour = 0;
        int zone_minute = 0;
        if (zone.size() != 6 || (zone[0] != '+' && zone[0] != '-') || zone[3] != ':' ||
            !digits_at(zone, 1, 2, zone_hour) || !digits_at(zone, 4, 2, zone_minute)) {
            return std::nullopt;
        }
        offset = (zone_hour * 60 + zone_minute) * 60 * (zone[0] == '-' ? -1 : 1);
    }
    return days_of(year, month, day) * 86400 + hour * 3600 + minute * 60 + second - offset;
}

Descriptor parse_descriptor(const JsonObject& object) {
    Descriptor descriptor;
    descriptor.media_type = object.required_text("mediaType");
    descriptor.digest = parse_digest(object.required_text("digest"), object.what());
    descriptor.size = object.required_number("size");
    if (const auto platform = object.object("platform")) {
        descriptor.platform =
            Platform{platform->text("os").value_or(""), platform->text("architecture").value_or(""),
                     platform->text("variant").value_or("")};
    }
    for (auto& [key, value] : object.pairs("annotations")) {
        descriptor.annotations.emplace(std::move(key), std::move(value));
    }
    descriptor.urls = object.texts("urls");
    descriptor.artifact_type = object.text("artifactType").value_or("");
    return descriptor;
}

std::vector<Descriptor> parse_index(std::string_view text, const std::string& what, const Limits& limits) {
    const nlohmann::json document = parse_json(text, what, limits);
    const JsonObject object(document, what);
    check_schema(object);
    check_media_type(object, index_types);
    std::vector<Descriptor> list;
    for (const JsonObject& item : object.objects("manifests")) {
        list.push_back(parse_descriptor(item));
    }
    return list;
}

Manifest parse_manifest(std::string_view text, const std::string& what, const Limits& limits) {
    const nlohmann::json document = parse_json(text, what, limits);
    const JsonObject object(document, what);
    check_schema(object);
    check_media_type(object, manifest_types);
    const auto config = object.object("config");
    if (!config || object.has("manifests")) {
        throw diagnostic::fail(Fault::malformed, what + " is not an image manifest: it has " +
                                                     (config ? "a list of manifests" : "no config"));
    }
    Manifest manifest{parse_descriptor(*config), {}};
    if (!contains(config_types, manifest.config.media_type) &&
        !contains(untyped, manifest.config.media_type)) {
        throw diagnostic::fail(Fault::media_type, what + " is an artifact of type " +
                                                      printable(manifest.config.media_type) +
                                                      ", not a container image");
    }
    for (const JsonObject& layer : object.objects("layers")) {
        manifest.layers.push_back(parse_descriptor(layer));
    }
    if (manifest.layers.size() > limits.layers) {
        throw diagnostic::fail(Fault::limit, what + " has " + std::to_string(manifest.layers.size()) +
                                                 " layers, more than " + std::to_string(limits.layers));
    }
    return manifest;
}

ImageConfig parse_config(std::string_view text, const std::string& what, const Limits& limits) {
    const nlohmann::json document = parse_json(text, what, limits);
    const JsonObject object(document, what);
    ImageConfig config;
    // Some tools leave them out, or say x86_64 (apko): what that means is the loader's to decide.
    const Platform platform =
        Platform{object.text("os").value_or(""), object.text("architecture").value_or(""),
                 object.text("variant").value_or("")}
            .normal();
    config.architecture = platform.architecture;
    config.os = platform.os;
    config.variant = platform.variant;
    config.created = object.text("created").value_or("");
    config.created_epoch = parse_rfc3339(config.created);
    const auto rootfs = object.object("rootfs");
    if (!rootfs || rootfs->required_text("type") != "layers") {
        throw diagnostic::fail(Fault::malformed, what + ": rootfs is missing or not of type 'layers'");
    }
    for (const std::string& digest : rootfs->texts("diff_ids")) {
        config.diff_ids.push_back(parse_digest(digest, what + ": rootfs: diff_ids"));
    }
    if (const auto run = object.object("config")) {
        config.entrypoint = run->texts("Entrypoint");
        config.cmd = run->texts("Cmd");
        config.env = run->texts("Env");
        config.working_dir = run->text("WorkingDir").value_or("");
        config.user = run->text("User").value_or("");
        config.stop_signal = run->text("StopSignal").value_or("");
        config.exposed_ports = run->keys("ExposedPorts");
        config.volumes = run->keys("Volumes");
        config.health_check = run->has("Healthcheck");
        for (auto& [key, value] : run->pairs("Labels")) {
            config.labels.emplace(std::move(key), std::move(value));
        }
    }
    // What follows goes into C strings of the guest.
    for (const auto* list : {&config.entrypoint, &config.cmd, &config.env}) {
        for (const std::string& item : *list) {
            if (item.find('\0') != std::string::npos) {
                throw diagnostic::fail(Fault::malformed, what + ": a NUL byte in " + printable(item));
            }
        }
    }
    if (config.working_dir.find('\0') != std::string::npos || config.user.find('\0') != std::string::npos) {
        throw diagnostic::fail(Fault::malformed, what + ": a NUL byte in WorkingDir or User");
    }
    return config;
}

} // namespace oci
