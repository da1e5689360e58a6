// SPDX-License-Identifier: Apache-2.0
#include "image-tools/rootfs/root_image.hpp"

#include "image-tools/oci/failure.hpp"
#include "image-tools/oci/layer_stream.hpp"
#include "image-tools/rootfs/erofs_writer.hpp"
#include "image-tools/rootfs/layers.hpp"
#include "image-tools/rootfs/runtime_files.hpp"
#include "image-tools/rootfs/spool.hpp"

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <exception>
#include <fcntl.h>
#include <future>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

namespace rootfs {

namespace {

// A half-made output is no output.
class RemoveOnFailure {
public:
    explicit RemoveOnFailure(std::filesystem::path path) : path_(std::move(path)) {}
    RemoveOnFailure(const RemoveOnFailure&) = delete;
    RemoveOnFailure& operator=(const RemoveOnFailure&) = delete;
    ~RemoveOnFailure() {
        if (!path_.empty()) {
            std::error_code ignored;
            std::filesystem::remove(path_, ignored);
        }
    }
    void keep() { path_.clear(); }

private:
    std::filesystem::path path_;
};

} // namespace

namespace {

// Checks the layers' blobs in their order on a second thread, while those before them are unpacked. No byte of a blob
// is looked at before its digest was found right.
class BlobChecker {
public:
    explicit BlobChecker(const oci::Image& image) : checked_(image.layers().size()) {
        for (auto& blob : checked_) {
            results_.push_back(blob.get_future());
        }
        thread_ = std::thread([this, &image] {
            for (std::size_t i = 0; i < checked_.size() && !enough_; ++i) {
                try {
                    checked_[i].set_value(image.checked_blob(i));
                } catch (...) {
                    checked_[i].set_exception(std::current_exception());
                    return;
                }
            }
        });
    }
    BlobChecker(const BlobChecker&) = delete;
    BlobChecker& operator=(const BlobChecker&) = delete;
    ~BlobChecker() {
        enough_ = true;
        thread_.join();
    }

    // Once each, in order. Throws what the check did.
    files::FileRange get(std::size_t index) { return results_[index].get(); }

private:
    std::vector<std::promise<files::FileRange>> checked_;
    std::vector<std::future<files::FileRange>> results_;
    std::atomic<bool> enough_ = false;
    std::thread thread_;
};

} // namespace

RootImage::RootImage() = default;
RootImage::RootImage(RootImage&&) noexcept = default;
RootImage& RootImage::operator=(RootImage&&) noexcept = default;
RootImage::~RootImage() = default;

RootImage RootImage::build(const oci::Image& image, const std::filesystem::path& output,
                           const BuildOptions& options) {
    const int descriptor = ::open(output.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    if (descriptor < 0) {
        throw diagnostic::fail_system("E0602", "cannot write " + output.string(), errno);
    }
    RemoveOnFailure guard(output);
    RootImage root =
        build(image, std::make_shared<const files::FileHandle>(descriptor), output.string(), 0, options);
    guard.keep();
    return root;
}

RootImage RootImage::build(const oci::Image& image, std::shared_ptr<const files::FileHandle> file,
                           const std::string& name, std::uint64_t offset, const BuildOptions& options) {
    const std::int64_t epoch =
        std::max<std::int64_t>(0, options.epoch.value_or(image.config().created_epoch.value_or(0)));
    RootImage root;
    root.content_ = {file, name, offset, 0};
    root.image_name_ = image.name();
    root.tree_ = std::make_unique<Tree>(epoch);
    root.spool_ = std::make_unique<Spool>(std::move(file), name, offset);

    LayerApplier applier(*root.tree_, *root.spool_, options.limits, epoch);
    oci::Limits limits = options.limits;
    BlobChecker blobs(image);
    std::uint64_t packed_before = 0;
    for (std::size_t i = 0; i < image.layers().size(); ++i) {
        oci::LayerStream stream = image.open_layer(i, limits, blobs.get(i));
        const auto next = [&] {
            const auto run = stream.next();
            if (options.progress) {
                options.progress("flatten", packed_before + stream.packed_read(), image.packed_bytes());
            }
            return run;
        };
        applier.apply(next, stream.context());
        packed_before += image.layers()[i].blob.size;
        limits.unpacked_bytes -= stream.counted();
        root.statistics_.unpacked_bytes += stream.unpacked();
    }
    root.tree_->on_free({});
    if (options.runtime_files) {
        add_runtime_files(*root.tree_, image.config().volumes, epoch, image.name());
    }
    root.content_.size = write_erofs(*root.tree_, *root.spool_,
                                     {epoch, image.manifest_digest().text() + "\n" + std::to_string(epoch)});
    root.statistics_.layers = image.layers().size();
    root.statistics_.entries = applier.entries();
    root.statistics_.whiteouts = applier.whiteouts();
    root.statistics_.inodes = root.tree_->inode_count();
    return root;
}

std::size_t RootImage::read(InodeId id, std::uint64_t offset, std::span<std::uint8_t> to) const {
    const Inode& inode = tree_->inode(id);
    if (!inode.is_regular() || offset >= inode.size) {
        return 0;
    }
    to = to.first(static_cast<std::size_t>(std::min<std::uint64_t>(to.size(), inode.size - offset)));
    if (inode.inlined) {
        return spool_->read(inode.inlined_at + offset, to);
    }
    if (inode.chunks == nullptr) {
        return spool_->read(inode.first_block * block_size + offset, to);
    }
    const std::uint64_t chunk_bytes = block_size << inode.chunks->chunk_bits;
    std::size_t done = 0;
    while (done < to.size()) {
        const std::uint64_t at = offset + done;
        const std::uint64_t within = at % chunk_bytes;
        const auto part = to.subspan(
            done, static_cast<std::size_t>(std::min<std::uint64_t>(to.size() - done, chunk_bytes - within)));
        const std::uint32_t block = inode.chunks->chunks[static_cast<std::size_t>(at / chunk_bytes)];
        if (block == ChunkMap::hole) {
            std::memset(part.data(), 0, part.size());
        } else {
            spool_->read(block * block_size + within, part);
        }
        done += part.size();
    }
    return done;
}

std::optional<std::string> RootImage::read_file(std::string_view path, std::uint64_t limit) const {
    const auto id = tree_->lookup(path);
    if (!id || !tree_->inode(*id).is_regular() || tree_->inode(*id).size > limit) {
        return std::nullopt;
    }
    std::string text(static_cast<std::size_t>(tree_->inode(*id).size), '\0');
    read(*id, 0, {reinterpret_cast<std::uint8_t*>(text.data()), text.size()});
    return text;
}

} // namespace rootfs
