// SPDX-License-Identifier: Apache-2.0
// image-tools/registry/images.hpp - any image that a command is asked for: on this machine, or in a registry by way of the
// cache; as the lock file pins it.
//
// A tag that the cache knows is what it was when it was pulled; who wants to know what it is now asks (Ask::always).
// Nothing of registries is looked at before a reference needs it: a build of images on this machine touches no network, no
// cache and no settings.
#pragma once

#include "image-tools/diagnostic/diagnostic.hpp"
#include "image-tools/oci/image.hpp"
#include "image-tools/oci/registry_name.hpp"
#include "image-tools/registry/lock_file.hpp"

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace registry {

class CacheStore;
class Source;

// A blob that is attached to an image under a tag of its repository: a signature, a bundle.
struct Attached {
    std::string media_type;
    std::map<std::string, std::string> annotations; // of its layer
    std::string bytes;
    std::string where; // for messages
};

enum class Ask : std::uint8_t { when_missing, always };

struct ImagesOptions {
    bool offline = false;
    bool locked = false; // what the lock file does not pin is refused
    std::optional<std::chrono::milliseconds> time_out{};
    diagnostic::Progress progress{}; // "fetch", bytes, of bytes
    std::optional<LockFile> lock{};
    oci::Platform platform{"linux", "amd64", ""};
};

class Images {
public:
    explicit Images(ImagesOptions options);
    Images(const Images&) = delete;
    Images& operator=(const Images&) = delete;
    ~Images();

    // With all its layers on this machine. Throws what oci::Image::open() does, and E0423, E0508, E0510, E0604 to E0607,
    // E0707, E0905.
    [[nodiscard]] oci::Image open(const oci::Reference& reference, Ask ask = Ask::when_missing);
    // As a manifest in `directory` names it and the lock file pins it; throws E0509 too. What the user should know of that
    // is added to `notes`.
    [[nodiscard]] oci::Image open_pinned(const oci::Reference& reference,
                                         const std::filesystem::path& directory,
                                         std::vector<std::string>& notes);

    // All blobs of the manifests under that tag beside the image (and below an index of them); none where there is no such
    // tag. They are kept like images. At most 64 manifests, each of at most 64 blobs of at most 1 MiB; throws as open().
    [[nodiscard]] std::vector<Attached> attached(const oci::Reference& image, const std::string& tag,
                                                 Ask ask);

    // By the network, so far.
    [[nodiscard]] std::uint64_t fetched_bytes() const { return fetched_; }
    [[nodiscard]] const ImagesOptions& options() const { return options_; }

private:
    struct Session;
    Session& session();
    [[nodiscard]] oci::Image open_remote(const oci::Reference& reference, Ask ask);
    [[nodiscard]] std::optional<oci::Descriptor> known(const oci::Reference& reference,
                                                       const oci::RegistryName& name, Ask ask);
    // The image with all its layers in the cache.
    [[nodiscard]] oci::Image complete_image(const oci::Reference& reference,
                                            const std::shared_ptr<const CacheStore>& store,
                                            Source* source) const;
    [[nodiscard]] std::vector<Attached> attached_remote(const oci::Reference& image, const std::string& tag,
                                                        Ask ask);
    void check_pin(const oci::Reference& reference, const oci::Image& image, const Pin& pin,
                   std::vector<std::string>& notes) const;

    ImagesOptions options_;
    std::unique_ptr<Session> session_;
    std::uint64_t fetched_ = 0;
};

// What a name in a registry is in full, by registries.conf: "docker://HOST/REPOSITORY:TAG".
std::string whole_name(const oci::Reference& reference);

} // namespace registry
