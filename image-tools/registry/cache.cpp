// SPDX-License-Identifier: Apache-2.0
#include "image-tools/registry/cache.hpp"

#include "image-tools/files/atomic_file.hpp"
#include "image-tools/files/cache_place.hpp"
#include "image-tools/oci/strict_json.hpp"
#include "image-tools/registry/failure.hpp"

#include <algorithm>
#include <cerrno>
#include <fcntl.h>
#include <nlohmann/json.hpp>
#include <set>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

namespace registry {
namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t largest_record = 1 << 20;
constexpr std::string_view record_schema = "caisson.cached-image/1";
constexpr std::string_view temporary_mark = "new-"; // what write_whole() leaves when it is killed

[[noreturn]] void cannot(const char* what, const fs::path& path, int error) {
    throw diagnostic::fail_system(Fault::cache, std::string("cannot ") + what + " " + path.string(), error)
        .help("CAISSON_CACHE names another folder for what is kept");
}

std::shared_ptr<const files::FileHandle> open_file(const fs::path& path, int flags) {
    const int descriptor = ::open(path.c_str(), flags | O_CLOEXEC, 0644);
    return descriptor < 0 ? nullptr : std::make_shared<const files::FileHandle>(descriptor);
}

// Under its name whole or not at all; what was there is replaced.
void write_whole(const fs::path& folder, const fs::path& path, std::string_view text) {
    std::string temporary = (folder / (std::string(temporary_mark) + "XXXXXX")).string();
    const int descriptor = ::mkostemp(temporary.data(), O_CLOEXEC);
    if (descriptor < 0)
        cannot("write", path, errno);
    const files::FileHandle closed_at_end(descriptor);
    files::write_all(descriptor, files::bytes_of(text), temporary);
    if (::fchmod(descriptor, 0644) != 0 || ::rename(temporary.c_str(), path.c_str()) != 0) {
        const int error = errno;
        ::unlink(temporary.c_str());
        cannot("write", path, error);
    }
}

fs::path record_path(const fs::path& root, const std::string& reference, const std::string& platform) {
    return root / "names" / files::sha256(std::string_view(reference + "\n" + platform)).hex();
}

std::string record_text(const CachedImage& image) {
    nlohmann::ordered_json blobs = nlohmann::ordered_json::array();
    for (const auto& [blob, size] : image.blobs)
        blobs.push_back({{"digest", blob.text()}, {"size", size}});
    const nlohmann::ordered_json record{{"schema", record_schema},           {"reference", image.reference},
                                        {"platform", image.platform},        {"digest", image.digest.text()},
                                        {"manifest", image.manifest.text()}, {"blobs", blobs}};
    return record.dump(1) + "\n";
}

files::Digest required_digest(const oci::JsonObject& object, const char* key) {
    const auto digest = files::Digest::parse(object.required_text(key));
    if (!digest)
        throw diagnostic::fail(Fault::cache, object.what() + ": no digest");
    return *digest;
}

// What is no record (of another version, damaged) counts as not there.
std::optional<CachedImage> read_record(const fs::path& path) {
    try {
        std::error_code error;
        if (!fs::exists(path, error))
            return std::nullopt;
        const oci::JsonDocument document(files::read_file(path, largest_record), path.string(), {});
        const oci::JsonObject object = document.top();
        if (object.required_text("schema") != record_schema)
            return std::nullopt;
        CachedImage image{object.required_text("reference"), object.required_text("platform"),
                          required_digest(object, "digest"), required_digest(object, "manifest")};
        for (const oci::JsonObject& blob : object.objects("blobs"))
            image.blobs.emplace_back(required_digest(blob, "digest"), blob.required_number("size"));
        struct stat status {};
        if (::stat(path.c_str(), &status) != 0)
            return std::nullopt;
        image.used = std::chrono::system_clock::from_time_t(status.st_mtim.tv_sec) +
                     std::chrono::duration_cast<std::chrono::system_clock::duration>(
                         std::chrono::nanoseconds(status.st_mtim.tv_nsec));
        return image;
    } catch (const diagnostic::Failure&) {
        return std::nullopt;
    }
}

std::vector<CachedImage> read_records(const fs::path& root) {
    std::vector<CachedImage> out;
    std::error_code error;
    for (const fs::directory_entry& entry : fs::directory_iterator(root / "names", error))
        if (auto image = read_record(entry.path()))
            out.push_back(*std::move(image));
    std::sort(out.begin(), out.end(), [](const CachedImage& one, const CachedImage& other) {
        return std::pair(one.used, one.reference) < std::pair(other.used, other.reference);
    });
    return out;
}

} // namespace

std::uint64_t CachedImage::bytes() const {
    std::uint64_t sum = 0;
    for (const auto& [blob, size] : blobs)
        sum += size;
    return sum;
}

void PartialBlob::count_what_is_there() {
    const auto range = files::FileRange::open(from_);
    std::vector<std::uint8_t> buffer(std::size_t{256} << 10);
    while (range) {
        const std::size_t got = range->read(size_, buffer);
        if (got == 0)
            return;
        hash_.update(std::span(buffer).first(got));
        size_ += got;
    }
}

void PartialBlob::append(std::span<const std::uint8_t> bytes) {
    files::write_all(file_->get(), bytes, from_.string());
    hash_.update(bytes);
    size_ += bytes.size();
}

void PartialBlob::restart() {
    if (::ftruncate(file_->get(), 0) != 0 || ::lseek(file_->get(), 0, SEEK_SET) != 0)
        cannot("empty", from_, errno);
    hash_ = files::Sha256();
    size_ = 0;
}

void PartialBlob::discard() {
    ::unlink(from_.c_str());
}

bool PartialBlob::finish() {
    if (hash_.finish() != digest_) {
        restart();
        return false;
    }
    if (::rename(from_.c_str(), to_.c_str()) != 0)
        cannot("keep", to_, errno);
    return true;
}

fs::path Cache::standard_place() {
    if (auto place = files::cache_place("images"))
        return *std::move(place);
    throw diagnostic::fail("E0701",
                           "neither CAISSON_CACHE, XDG_CACHE_HOME nor HOME says where to keep images")
        .help("set HOME, or use an image on this machine: oci:DIR");
}

Cache::Cache(fs::path root) : root_(std::move(root)) {
    std::error_code error;
    for (const char* folder : {"blobs/sha256", "partial", "names"}) {
        fs::create_directories(root_ / folder, error);
        if (error)
            cannot("make", root_ / folder, error.value());
    }
    lock_ = open_file(root_ / "lock", O_RDWR | O_CREAT);
    if (!lock_ || ::flock(lock_->get(), LOCK_SH) != 0)
        cannot("use", root_ / "lock", errno);
}

fs::path Cache::blob_path(const files::Digest& digest) const {
    return root_ / "blobs" / "sha256" / digest.hex();
}

std::optional<files::FileRange> Cache::find(const files::Digest& digest) const {
    return files::FileRange::open(blob_path(digest));
}

void Cache::put(const files::Digest& digest, std::string_view text) const {
    write_whole(root_ / "partial", blob_path(digest), text);
}

void Cache::drop(const files::Digest& digest) const {
    ::unlink(blob_path(digest).c_str());
}

std::optional<PartialBlob> Cache::begin(const files::Digest& digest) const {
    PartialBlob partial(digest, root_ / "partial" / digest.hex(), blob_path(digest));
    for (;;) {
        partial.file_ = open_file(partial.from_, O_RDWR | O_CREAT | O_APPEND);
        if (!partial.file_)
            cannot("write", partial.from_, errno);
        if (::flock(partial.file_->get(), LOCK_EX | LOCK_NB) != 0) {
            if (errno == EWOULDBLOCK)
                return std::nullopt;
            cannot("lock", partial.from_, errno);
        }
        // Whoever had it may have finished between our two steps: then the name is another file's, or gone.
        struct stat ours {
        }, named{};
        if (::fstat(partial.file_->get(), &ours) == 0 && ::stat(partial.from_.c_str(), &named) == 0 &&
            ours.st_ino == named.st_ino && ours.st_dev == named.st_dev)
            break;
    }
    partial.count_what_is_there();
    return partial;
}

std::optional<CachedImage> Cache::recall(const std::string& reference, const std::string& platform) const {
    auto image = read_record(record_path(root_, reference, platform));
    return image && image->reference == reference && image->platform == platform ? std::move(image)
                                                                                 : std::nullopt;
}

void Cache::remember(const CachedImage& image) const {
    const fs::path path = record_path(root_, image.reference, image.platform);
    const std::string text = record_text(image);
    std::error_code error;
    if (fs::exists(path, error) && files::read_file(path, largest_record) == text &&
        ::utimensat(AT_FDCWD, path.c_str(), nullptr, 0) == 0)
        return;
    write_whole(root_ / "partial", path, text);
}

std::vector<CachedImage> Cache::images() const {
    return read_records(root_);
}

Cache::Collected Cache::collect(const fs::path& root, std::uint64_t limit,
                                const std::function<void()>& waiting) {
    const Cache cache(root);
    // Shared becomes exclusive: not at once, another tool may go first.
    if (::flock(cache.lock_->get(), LOCK_EX | LOCK_NB) != 0) {
        waiting();
        while (::flock(cache.lock_->get(), LOCK_EX) != 0)
            if (errno != EINTR)
                cannot("lock", root / "lock", errno);
    }
    Collected out;
    std::vector<CachedImage> images = read_records(root);
    std::uint64_t kept_bytes = 0;
    std::set<files::Digest> kept;
    // The last used first: what it shares with older ones counts once.
    while (!images.empty()) {
        CachedImage image = std::move(images.back());
        images.pop_back();
        std::uint64_t more = 0;
        for (const auto& [digest, size] : image.blobs)
            more += kept.contains(digest) ? 0 : size;
        if (!out.images.empty() || more > limit - std::min(limit, kept_bytes)) {
            fs::remove(record_path(root, image.reference, image.platform));
            out.images.push_back(std::move(image));
            continue;
        }
        kept_bytes += more;
        for (const auto& [digest, size] : image.blobs)
            kept.insert(digest);
    }
    const auto remove = [&](const fs::directory_entry& entry) {
        std::error_code error;
        const std::uint64_t size = entry.file_size(error);
        if (!error && fs::remove(entry.path(), error)) {
            ++out.blobs;
            out.bytes += size;
        }
    };
    for (const fs::directory_entry& entry : fs::directory_iterator(root / "blobs" / "sha256")) {
        const auto digest = files::Digest::parse("sha256:" + entry.path().filename().string());
        if (!digest || !kept.contains(*digest))
            remove(entry);
    }
    const auto yesterday = fs::file_time_type::clock::now() - std::chrono::hours(24);
    for (const fs::directory_entry& entry : fs::directory_iterator(root / "partial"))
        if (entry.path().filename().string().starts_with(temporary_mark) || limit == 0 ||
            entry.last_write_time() < yesterday)
            remove(entry);
    return out;
}

} // namespace registry
