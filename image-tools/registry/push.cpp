// SPDX-License-Identifier: Apache-2.0
// image-tools/registry/push.cpp - artifacts into a registry, and back.
#include "image-tools/registry/push.hpp"

#include "image-tools/files/atomic_file.hpp"
#include "image-tools/oci/image_loader.hpp"
#include "image-tools/oci/named_files.hpp"
#include "image-tools/registry/failure.hpp"
#include "image-tools/registry/source.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>

namespace registry {
namespace {

using Json = nlohmann::ordered_json;
constexpr oci::Limits artifact_limits;
constexpr const char* manifest_type = "application/vnd.oci.image.manifest.v1+json";
constexpr const char* index_type = "application/vnd.oci.image.index.v1+json";
constexpr const char* empty_type = "application/vnd.oci.empty.v1+json";
constexpr const char* title_annotation = "org.opencontainers.image.title";

oci::RegistryName artifact_name(const oci::Reference& reference) {
    std::string problem;
    auto name = oci::parse_registry_name(reference.path, problem);
    if (reference.transport != oci::Transport::registry || !name)
        throw diagnostic::fail("E0101", reference.text() + " is no name in a registry")
            .help("write, for example, docker://registry.example/team/gateway:1.0");
    name->tag = reference.tag;
    name->digest = reference.digest;
    return *std::move(name);
}

std::uint64_t size_of(const ArtifactBlob& blob) {
    const auto* file = std::get_if<files::FileRange>(&blob.content);
    return file != nullptr ? file->size : std::get<std::string>(blob.content).size();
}

files::Digest digest_of(const ArtifactBlob& blob) {
    const auto* file = std::get_if<files::FileRange>(&blob.content);
    return file != nullptr ? file->digest()
                           : files::sha256(std::string_view(std::get<std::string>(blob.content)));
}

Json described(const std::string& type, const files::Digest& digest, std::uint64_t size) {
    return {{"mediaType", type}, {"digest", digest.text()}, {"size", size}};
}

// A name that leads nowhere but into the folder.
bool is_plain(const std::string& name) {
    return !name.empty() && name != "." && name != ".." && name.size() < 200 &&
           std::all_of(name.begin(), name.end(), [](char c) {
               return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                      c == '.' || c == '-' || c == '_' || c == '+';
           });
}

Deadline deadline_of(const ImagesOptions& options) {
    return options.time_out ? Deadline(std::chrono::steady_clock::now() + *options.time_out) : std::nullopt;
}

} // namespace

struct Pusher::Session {
    Session(const oci::Reference& where, const ImagesOptions& options)
        : name(settings.completed(artifact_name(where))),
          endpoint(http, settings.places(name, false).back(), credentials, deadline_of(options),
                   Rights::write) {}
    Settings settings = Settings::load();
    Credentials credentials = Credentials::load();
    Http http;
    oci::RegistryName name;
    Endpoint endpoint; // the registry itself: mirrors are read only
};

Pusher::Pusher(const oci::Reference& where, const ImagesOptions& options) {
    if (options.offline)
        throw diagnostic::fail(Fault::offline, where.text() + ": nothing can be sent with --offline");
    session_ = std::make_unique<Session>(where, options);
}

Pusher::~Pusher() = default;

std::string Pusher::name() const {
    return "docker://" + session_->name.host + "/" + session_->name.repository;
}

oci::Descriptor Pusher::send(const std::string& artifact_type, const std::vector<ArtifactBlob>& blobs,
                             const oci::Descriptor* subject, const std::string& tag) {
    const std::string empty = "{}";
    Json layers = Json::array();
    session_->endpoint.push_blob(files::sha256(std::string_view(empty)), empty);
    for (const ArtifactBlob& blob : blobs) {
        const files::Digest digest = digest_of(blob);
        session_->endpoint.push_blob(digest, blob.content);
        layers.push_back(described(blob.media_type, digest, size_of(blob)));
        layers.back()["annotations"] = {{title_annotation, blob.title}};
    }
    Json manifest{{"schemaVersion", 2},
                  {"mediaType", manifest_type},
                  {"artifactType", artifact_type},
                  {"config", described(empty_type, files::sha256(std::string_view(empty)), empty.size())},
                  {"layers", layers}};
    if (subject != nullptr)
        manifest["subject"] = described(subject->media_type, subject->digest, subject->size);
    const std::string text = manifest.dump();
    const files::Digest digest = files::sha256(std::string_view(text));
    session_->endpoint.push_manifest(tag.empty() ? digest.text() : tag, manifest_type, text);
    return {manifest_type, digest, text.size(), {}, {}};
}

oci::Descriptor Pusher::push(const std::string& artifact_type, const std::vector<ArtifactBlob>& blobs) {
    return send(artifact_type, blobs, nullptr, session_->name.tag);
}

oci::Descriptor Pusher::push_referrer(const std::string& artifact_type,
                                      const std::vector<ArtifactBlob>& blobs,
                                      const oci::Descriptor& subject) {
    const oci::Descriptor out = send(artifact_type, blobs, &subject, {});
    note_referrer(out, artifact_type, subject.digest);
    return out;
}

// The index under the fallback tag gets one more entry. Who writes it at the same time may lose one: the specification has
// nothing better.
void Pusher::note_referrer(const oci::Descriptor& referrer, const std::string& artifact_type,
                           const files::Digest& subject) {
    const std::string tag = "sha256-" + subject.hex();
    Json entries = Json::array();
    try {
        const Endpoint::Document found = session_->endpoint.manifest(tag, artifact_limits.json_bytes);
        const Json index = Json::parse(found.text, nullptr, false);
        if (index.is_object() && index.contains("manifests") && index["manifests"].is_array())
            entries = index["manifests"];
    } catch (const diagnostic::Failure& failure) {
        const std::string& code = failure.diagnostic().code;
        if (code != oci::Fault::tag.name() && code != oci::Fault::not_there.name())
            throw;
    }
    Json entry = described(referrer.media_type, referrer.digest, referrer.size);
    entry["artifactType"] = artifact_type;
    if (std::find(entries.begin(), entries.end(), entry) != entries.end())
        return;
    entries.push_back(entry);
    const Json index{{"schemaVersion", 2}, {"mediaType", index_type}, {"manifests", entries}};
    session_->endpoint.push_manifest(tag, index_type, index.dump());
}

std::vector<std::filesystem::path> pull_artifact(const oci::Reference& reference,
                                                 const std::string& artifact_type,
                                                 const std::filesystem::path& folder,
                                                 const ImagesOptions& options, files::Digest& digest) {
    if (options.offline)
        throw diagnostic::fail(Fault::offline, reference.text() + ": nothing can be brought with --offline");
    const Cache cache(Cache::standard_place());
    const Settings settings = Settings::load();
    const Credentials credentials = Credentials::load();
    Http http;
    const oci::RegistryName name = settings.completed(artifact_name(reference));
    std::vector<Endpoint> endpoints =
        endpoints_at(http, settings.places(name, name.digest.has_value()), credentials, deadline_of(options));
    Source source(http, cache, name, endpoints,
                  SourceOptions{artifact_limits, options.progress, deadline_of(options)});
    const oci::Descriptor found = source.resolve(name.digest ? name.digest->text() : name.tag);
    digest = found.digest;
    const std::string what = reference.text();
    const auto manifest_file = cache.find(found.digest);
    if (!manifest_file)
        throw diagnostic::fail(oci::Fault::blob, what + ": its manifest is gone from the cache");
    const std::string text = oci::read_range(*manifest_file);
    const oci::JsonDocument document(text, what, artifact_limits);
    const oci::JsonObject top = document.top();
    if (files::sha256(std::string_view(text)) != found.digest ||
        top.text("artifactType").value_or("") != artifact_type)
        throw diagnostic::fail(oci::Fault::media_type, what + " is no artifact of the type " + artifact_type);
    std::vector<oci::Descriptor> blobs;
    for (const oci::JsonObject& layer : top.objects("layers"))
        blobs.push_back(oci::parse_descriptor(layer));
    source.fetch(blobs);
    std::vector<std::filesystem::path> out;
    for (const oci::Descriptor& blob : blobs) {
        const auto title = blob.annotations.find(title_annotation);
        if (title == blob.annotations.end() || !is_plain(title->second))
            throw diagnostic::fail(oci::Fault::media_type, what + ": one of its files has no proper name");
        const auto content = cache.find(blob.digest);
        if (!content || content->digest() != blob.digest)
            throw diagnostic::fail(oci::Fault::digest,
                                   what + ": " + title->second + " is not what its digest says");
        files::AtomicFile file(folder / title->second);
        std::vector<std::uint8_t> piece(1 << 20);
        for (std::uint64_t at = 0; at < content->size; at += piece.size())
            file.write(std::span(piece).first(content->read(at, piece)));
        file.commit();
        out.push_back(folder / title->second);
    }
    return out;
}

} // namespace registry
