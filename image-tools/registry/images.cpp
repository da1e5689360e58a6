// SPDX-License-Identifier: Apache-2.0
#include "image-tools/registry/images.hpp"

#include "image-tools/oci/image_loader.hpp"
#include "image-tools/oci/named_files.hpp"
#include "image-tools/registry/failure.hpp"
#include "image-tools/registry/source.hpp"

#include <algorithm>
#include <exception>
#include <utility>

namespace registry {

// An image in the cache; documents that are not there yet are brought when they are read.
class CacheStore : public oci::Store {
    // What is damaged in the cache does not stay there.
    template <typename Read> auto kept(const oci::Descriptor& blob, Read read) const {
        try {
            return read();
        } catch (diagnostic::Failure& failure) {
            if (failure.diagnostic().exit != diagnostic::ExitCode::trust)
                throw;
            cache_->drop(blob.digest);
            throw failure.help(
                "it was damaged in the cache and is removed from there: run the command again");
        }
    }

public:
    // `source`: nothing when the network is not to be used.
    CacheStore(std::string name, const oci::Limits& limits, std::shared_ptr<const Cache> cache,
               Source* source, oci::Descriptor image)
        : Store(std::move(name), limits), cache_(std::move(cache)), source_(source),
          image_(std::move(image)) {}

    [[nodiscard]] std::vector<oci::StoredImage> contents() const override { return {{{}, image_}}; }
    [[nodiscard]] bool is_called(const oci::StoredImage&, const std::string&) const override { return true; }
    [[nodiscard]] std::optional<files::FileRange> find(const oci::Descriptor& blob) const override {
        auto range = cache_->find(blob.digest);
        return range && range->size == blob.size ? std::move(range) : std::nullopt;
    }
    [[nodiscard]] files::FileRange blob(const oci::Descriptor& blob, const std::string& what) const override {
        return kept(blob, [&] { return Store::blob(blob, what); });
    }
    [[nodiscard]] std::string document(const oci::Descriptor& blob, const std::string& what) const override {
        if (blob.size <= limits().json_bytes && !find(blob))
            bring(blob, what);
        used_.emplace_back(blob.digest, blob.size);
        return kept(blob, [&] { return Store::document(blob, what); });
    }

    // Documents that were read, with their sizes.
    [[nodiscard]] const std::vector<std::pair<files::Digest, std::uint64_t>>& used() const { return used_; }
    // The source is no more; everything is here.
    void complete() { source_ = nullptr; }
    // Why a document could not be brought, though who asked for it went on without.
    void rethrow_trouble() const {
        if (trouble_)
            std::rethrow_exception(trouble_);
    }

private:
    void bring(const oci::Descriptor& blob, const std::string& what) const {
        try {
            if (source_ == nullptr)
                throw diagnostic::fail(Fault::offline, what + " is not in the cache, and --offline is given");
            if (oci::is_index(blob.media_type) || oci::is_manifest(blob.media_type))
                static_cast<void>(source_->resolve(blob.digest.text()));
            else
                source_->fetch({blob});
        } catch (...) {
            trouble_ = std::current_exception();
            throw;
        }
    }

    std::shared_ptr<const Cache> cache_;
    Source* source_;
    oci::Descriptor image_;
    mutable std::vector<std::pair<files::Digest, std::uint64_t>> used_;
    mutable std::exception_ptr trouble_;
};

namespace {

constexpr oci::Limits limits;

oci::RegistryName name_of(const oci::Reference& reference) {
    std::string problem;
    auto name = oci::parse_registry_name(reference.path, problem);
    if (!name)
        throw diagnostic::fail(oci::Fault::reference, reference.text() + ": " + problem);
    name->tag = reference.tag;
    name->digest = reference.digest;
    return *std::move(name);
}

// The document in the cache, described; nothing where it is not there or not what its name says.
std::optional<oci::Descriptor> cached_document(const Cache& cache, const files::Digest& digest,
                                               const std::string& what) {
    const auto range = cache.find(digest);
    if (!range || range->size > limits.json_bytes)
        return std::nullopt;
    const std::string text = oci::read_range(*range);
    if (files::sha256(text) != digest) {
        cache.drop(digest);
        return std::nullopt;
    }
    return describe_document(text, {}, what, limits);
}

} // namespace

// What registries need, made when the first one is asked for.
struct Images::Session {
    std::shared_ptr<const Cache> cache = std::make_shared<const Cache>(Cache::standard_place());
    Settings settings = Settings::load();
    Credentials credentials = Credentials::load();
    Http http;
    Deadline deadline;
    std::map<std::string, std::vector<Endpoint>> places{}; // of each repository that was asked for

    Source source(const oci::RegistryName& name, const diagnostic::Progress& progress) {
        oci::RegistryName repository = name;
        repository.tag.clear();
        repository.digest.reset();
        const bool exact = name.digest.has_value(); // some mirrors are for those alone
        std::vector<Endpoint>& endpoints = places[repository.text() + (exact ? "@" : "")];
        if (endpoints.empty())
            endpoints = endpoints_at(http, settings.places(name, exact), credentials, deadline);
        return {http, *cache, name, endpoints, SourceOptions{limits, progress, deadline}};
    }
};

Images::Images(ImagesOptions options) : options_(std::move(options)) {}
Images::~Images() = default;

Images::Session& Images::session() {
    if (!session_) {
        session_ = std::make_unique<Session>();
        if (options_.time_out)
            session_->deadline = std::chrono::steady_clock::now() + *options_.time_out;
    }
    return *session_;
}

oci::Image Images::open(const oci::Reference& reference, Ask ask) {
    if (reference.transport == oci::Transport::registry)
        return open_remote(reference, ask);
    oci::OpenOptions options;
    options.platform = options_.platform;
    return oci::Image::open(reference, options);
}

// What the reference names as far as the cache knows; nothing: only the registry can tell.
std::optional<oci::Descriptor> Images::known(const oci::Reference& reference, const oci::RegistryName& name,
                                             Ask ask) {
    const Cache& cache = *session().cache;
    if (name.digest)
        return cached_document(cache, *name.digest, reference.text());
    if (ask == Ask::always && !options_.offline)
        return std::nullopt;
    const auto record = cache.recall(name.text(), options_.platform.text());
    return record ? cached_document(cache, record->digest, reference.text()) : std::nullopt;
}

oci::Image Images::open_remote(const oci::Reference& reference, Ask ask) {
    Session& session = this->session();
    const oci::RegistryName name = session.settings.completed(name_of(reference));
    std::optional<Source> source;
    if (!options_.offline)
        source.emplace(session.source(name, options_.progress));
    auto found = known(reference, name, ask);
    if (!found && !source)
        throw diagnostic::fail(Fault::offline,
                               reference.text() + " is not in the cache, and --offline is given")
            .help("caisson image pull " + reference.text() + " brings it, while there is a network");
    if (!found)
        found = source->resolve(name.digest ? name.digest->text() : name.tag);
    const auto store = std::make_shared<CacheStore>(reference.text(), limits, session.cache,
                                                    source ? &*source : nullptr, *found);
    oci::Image image = complete_image(reference, store, source ? &*source : nullptr);
    store->complete();

    CachedImage record{name.text(), options_.platform.text(), image.named_digest(), image.manifest_digest(),
                       store->used()};
    record.blobs.emplace_back(found->digest, found->size);
    for (const oci::Layer& layer : image.layers())
        record.blobs.emplace_back(layer.blob.digest, layer.blob.size);
    std::sort(record.blobs.begin(), record.blobs.end());
    record.blobs.erase(std::unique(record.blobs.begin(), record.blobs.end()), record.blobs.end());
    session.cache->remember(record);
    fetched_ += source ? source->fetched_bytes() : 0;
    return image;
}

oci::Image Images::complete_image(const oci::Reference& reference,
                                  const std::shared_ptr<const CacheStore>& store, Source* source) const {
    oci::OpenOptions options;
    options.platform = options_.platform;
    const auto load = [&] {
        try {
            oci::Image image = oci::Image::open(reference, store, options);
            store->rethrow_trouble();
            return image;
        } catch (const diagnostic::Failure&) {
            store->rethrow_trouble(); // the cause, rather than what followed from it
            throw;
        }
    };
    oci::Image image = load();
    std::vector<oci::Descriptor> missing;
    for (const oci::Layer& layer : image.layers())
        if (!store->find(layer.blob))
            missing.push_back(layer.blob);
    if (missing.empty())
        return image;
    if (source == nullptr)
        throw diagnostic::fail(Fault::offline,
                               reference.text() + ": " + std::to_string(missing.size()) +
                                   " of its layers are not in the cache, and --offline is given")
            .help("caisson image pull " + reference.text() + " brings them, while there is a network");
    source->fetch(missing);
    return load(); // what is said of layers needs them
}

oci::Image Images::open_pinned(const oci::Reference& reference, const std::filesystem::path& directory,
                               std::vector<std::string>& notes) {
    const Pin* pin =
        options_.lock ? options_.lock->find(reference.text(), options_.platform.text()) : nullptr;
    if (pin == nullptr) {
        if (options_.locked)
            throw diagnostic::fail(Fault::drift, reference.text() + " is not pinned, and --locked is given")
                .help("caisson lock pins it");
        if (options_.lock)
            notes.push_back("it is not in the lock file; caisson lock pins it");
        return open(reference.resolved_from(directory));
    }
    if (reference.transport != oci::Transport::registry) {
        oci::Image image = open(reference.resolved_from(directory));
        check_pin(reference, image, *pin, notes);
        return image;
    }
    oci::Reference exact = reference;
    exact.digest = pin->digest;
    oci::Image image = open(exact);
    check_pin(reference, image, *pin, notes);
    return image;
}

void Images::check_pin(const oci::Reference& reference, const oci::Image& image, const Pin& pin,
                       std::vector<std::string>& notes) const {
    if (image.named_digest() == pin.digest && image.manifest_digest() == pin.manifest)
        return;
    const bool remote = reference.transport == oci::Transport::registry;
    if (!options_.locked && !remote) {
        notes.push_back("it is not what the lock file pins any more (" + image.named_digest().brief() +
                        ", pinned " + pin.digest.brief() + "); caisson lock takes it over");
        return;
    }
    throw diagnostic::fail(Fault::drift, reference.text() + " is not what the lock file pins")
        .notes({"pinned " + pin.digest.text() + ", " + pin.platform + " " + pin.manifest.text(),
                "found  " + image.named_digest().text() + ", " + pin.platform + " " +
                    image.manifest_digest().text()})
        .help("if that is meant: caisson lock");
}

namespace {

constexpr std::size_t most_attached = 64;
constexpr std::uint64_t largest_attached = 1 << 20;

// The blobs that a manifest of an artifact lists.
std::vector<oci::Descriptor> blobs_of(const std::string& manifest, const std::string& what) {
    const oci::JsonDocument document(manifest, what, limits);
    std::vector<oci::Descriptor> out;
    for (const oci::JsonObject& layer : document.top().objects("layers"))
        out.push_back(oci::parse_descriptor(layer));
    const bool large = std::any_of(out.begin(), out.end(),
                                   [](const oci::Descriptor& blob) { return blob.size > largest_attached; });
    if (out.size() > most_attached || large)
        throw diagnostic::fail(oci::Fault::limit, what + " has too many blobs, or one larger than 1 MiB");
    return out;
}

// Through whatever gives documents by their descriptors.
template <typename Give>
std::vector<Attached> attached_under(const oci::Descriptor& found, const std::string& what, Give&& give) {
    std::vector<oci::Descriptor> manifests{found};
    if (oci::is_index(found.media_type))
        manifests = oci::parse_index(give(found), what, limits);
    if (manifests.size() > most_attached)
        throw diagnostic::fail(oci::Fault::limit, what + " names too many manifests");
    std::vector<Attached> out;
    for (const oci::Descriptor& manifest : manifests) {
        const std::string where = what + " " + manifest.digest.brief();
        for (const oci::Descriptor& blob : blobs_of(give(manifest), where))
            out.push_back({blob.media_type, blob.annotations, give(blob), where});
    }
    return out;
}

// cosign save puts signatures into a layout without a tag.
bool is_called(const oci::Store& store, const oci::StoredImage& image, const std::string& tag) {
    const auto kind = image.descriptor.annotations.find("kind");
    return std::find(image.names.begin(), image.names.end(), tag) != image.names.end() ||
           store.is_called(image, tag) ||
           (tag.ends_with(".sig") && kind != image.descriptor.annotations.end() &&
            kind->second == "dev.cosignproject.cosign/sigs");
}

} // namespace

std::vector<Attached> Images::attached(const oci::Reference& image, const std::string& tag, Ask ask) {
    if (image.transport == oci::Transport::docker_archive)
        return {}; // has images alone
    if (image.transport != oci::Transport::registry) {
        const auto store = oci::Store::open(image, limits);
        std::vector<Attached> out;
        for (const oci::StoredImage& stored : store->contents())
            if (is_called(*store, stored, tag)) {
                auto found =
                    attached_under(stored.descriptor, image.text() + ": " + tag,
                                   [&](const oci::Descriptor& blob) { return store->document(blob, tag); });
                out.insert(out.end(), found.begin(), found.end());
            }
        return out;
    }
    return attached_remote(image, tag, ask);
}

std::vector<Attached> Images::attached_remote(const oci::Reference& image, const std::string& tag, Ask ask) {
    Session& session = this->session();
    oci::RegistryName name = session.settings.completed(name_of(image));
    name.digest.reset();
    name.tag = tag;
    std::optional<Source> source;
    std::optional<oci::Descriptor> found;
    if (options_.offline || ask == Ask::when_missing)
        if (const auto record = session.cache->recall(name.text(), options_.platform.text()))
            found = cached_document(*session.cache, record->digest, name.text());
    if (!options_.offline) {
        source.emplace(session.source(name, options_.progress));
        try {
            if (!found)
                found = source->resolve(tag);
        } catch (const diagnostic::Failure& failure) {
            const std::string& code = failure.diagnostic().code;
            if (code != oci::Fault::tag.name() && code != oci::Fault::not_there.name())
                throw;
        }
    }
    if (!found)
        return {};
    const auto store =
        std::make_shared<CacheStore>(name.text(), limits, session.cache, source ? &*source : nullptr, *found);
    auto out = attached_under(
        *found, name.text(), [&](const oci::Descriptor& blob) { return store->document(blob, name.text()); });
    CachedImage record{name.text(), options_.platform.text(), found->digest, found->digest, store->used()};
    std::sort(record.blobs.begin(), record.blobs.end());
    record.blobs.erase(std::unique(record.blobs.begin(), record.blobs.end()), record.blobs.end());
    session.cache->remember(record);
    fetched_ += source ? source->fetched_bytes() : 0;
    return out;
}

std::string whole_name(const oci::Reference& reference) {
    return "docker://" + Settings::load().completed(name_of(reference)).text();
}

} // namespace registry
