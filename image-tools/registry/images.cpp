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
        source.emplace(session.http, *session.cache, session.credentials, name,
                       session.settings.places(name, name.digest.has_value()),
                       SourceOptions{limits, options_.progress, session.deadline});
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

std::string whole_name(const oci::Reference& reference) {
    return "docker://" + Settings::load().completed(name_of(reference)).text();
}

} // namespace registry
