// SPDX-License-Identifier: Apache-2.0
// image-tools/build/roots.cpp - the root images of an appliance.
#include "image-tools/build/roots.hpp"

#include "image-tools/build/root_facts.hpp"
#include "image-tools/build/stopwatch.hpp"
#include "image-tools/manifest/values.hpp"

#include <algorithm>
#include <map>

namespace build {
namespace {

std::uint64_t page_up(std::uint64_t value) {
    return (value + 4095) / 4096 * 4096;
}

bool same_image(const PreparedPartition& one, const PreparedPartition& other) {
    return one.image && other.image && one.image->manifest_digest() == other.image->manifest_digest();
}

std::size_t section_count(const Prepared& prepared) {
    std::size_t count = prepared.with_bill ? 4 : 3; // leaves, table, meta, sbom
    count += (prepared.unikernel.empty() ? 0 : 1) + (prepared.networked_unikernel.empty() ? 0 : 1);
    for (auto item = prepared.partitions.begin(); item != prepared.partitions.end(); ++item) {
        const bool again =
            std::any_of(prepared.partitions.begin(), item,
                        [&](const PreparedPartition& other) { return same_image(other, *item); });
        count += again ? 0 : item->image || !item->partition->module ? 1 : 2;
    }
    return count;
}

// Makes root images where the target says.
class Maker {
public:
    Maker(const manifest::Manifest& manifest, const Prepared& prepared, const RootTarget& target,
          const Observer& observer)
        : manifest_(manifest), target_(target),
          offset_(page_up(bundle::first_section_offset(section_count(prepared)) +
                          page_up(prepared.unikernel.size()) + prepared.networked_unikernel.size())) {
        options_.epoch = source_date_epoch();
        options_.progress = observer.progress;
        options_.runtime_files = true;
    }

    std::shared_ptr<const rootfs::RootImage> make(const PreparedPartition& item) {
        options_.limits = {};
        if (const std::uint64_t allowed = item.partition->unpack_limit; allowed != 0)
            options_.limits.unpacked_bytes = options_.limits.free_bytes = allowed;
        try {
            auto root = std::make_shared<const rootfs::RootImage>(made(*item.image));
            files_ += root->statistics().inodes;
            whiteouts_ += root->statistics().whiteouts;
            offset_ += root->size();
            return root;
        } catch (diagnostic::Failure& failure) {
            throw failure.at_if_nowhere(manifest_.source.place(item.partition->image->spot));
        }
    }

    [[nodiscard]] std::uint64_t files() const { return files_; }
    [[nodiscard]] std::uint64_t whiteouts() const { return whiteouts_; }

private:
    [[nodiscard]] rootfs::RootImage made(const oci::Image& image) {
        if (files::AtomicFile* const* const into = std::get_if<files::AtomicFile*>(&target_))
            return rootfs::RootImage::build(image, (*into)->handle(), (*into)->name(), offset_, options_);
        const auto* lazy = std::get_if<WhenAsked>(&target_);
        const auto* folder = lazy != nullptr ? &lazy->folder : std::get_if<std::filesystem::path>(&target_);
        if (folder == nullptr)
            throw RootsAreNotKnown{};
        return rootfs::RootImage::build(image, *folder / ("root-" + std::to_string(++count_) + ".erofs"),
                                        options_);
    }

    const manifest::Manifest& manifest_;
    const RootTarget& target_;
    rootfs::BuildOptions options_;
    std::uint64_t offset_; // in the bundle, of the next one
    std::uint64_t files_ = 0, whiteouts_ = 0;
    unsigned count_ = 0;
};

// An image that need not be unpacked is there all the same.
void expect_layers(const manifest::Manifest& manifest, const PreparedPartition& item) {
    try {
        item.image->expect_layers();
    } catch (diagnostic::Failure& failure) {
        throw failure.at_if_nowhere(manifest.source.place(item.partition->image->spot));
    }
}

[[noreturn]] void too_large(const manifest::Manifest& manifest, const PreparedPartition& item,
                            const std::string& what, std::uint64_t bytes) {
    throw diagnostic::fail("E0803", "the bundle would be too large: its " + what + " have " +
                                        manifest::size_text(bytes) + ", it may have " +
                                        manifest::size_text(bundle::max_total_size))
        .at(manifest.source.place(item.partition->image->spot))
        .help("use smaller images, or fewer different ones");
}

// What is too large packed is told before an hour of unpacking.
void expect_small(const manifest::Manifest& manifest, const Prepared& prepared) {
    std::uint64_t packed = 0;
    for (auto item = prepared.partitions.begin(); item != prepared.partitions.end(); ++item) {
        const bool again =
            std::any_of(prepared.partitions.begin(), item,
                        [&](const PreparedPartition& other) { return same_image(other, *item); });
        packed += item->image && !again ? item->image->packed_bytes() : 0;
        if (packed > bundle::max_total_size)
            too_large(manifest, *item, "images, packed,", packed);
    }
}

// One image's root, and what is known of it.
struct Root {
    std::shared_ptr<const rootfs::RootImage> image;
    std::unique_ptr<RootFacts> facts;
};

} // namespace

std::size_t users_of(const Prepared& prepared, const PreparedPartition& item) {
    return static_cast<std::size_t>(
        std::count_if(prepared.partitions.begin(), prepared.partitions.end(),
                      [&](const PreparedPartition& other) { return same_image(other, item); }));
}

void add_roots(const manifest::Manifest& manifest, Prepared& prepared, const RootTarget& target,
               const Observer& observer) {
    Stopwatch watch;
    expect_small(manifest, prepared);
    const bool at_once = std::holds_alternative<std::filesystem::path>(target) ||
                         std::holds_alternative<files::AtomicFile*>(target);
    const auto* lazy = std::get_if<WhenAsked>(&target);
    std::map<files::Digest, Root> roots;
    Maker maker(manifest, prepared, target, observer);
    std::uint64_t bytes = 0;
    for (PreparedPartition& item : prepared.partitions) {
        if (!item.image)
            continue;
        Root& root = roots[item.image->manifest_digest()];
        item.root_key = root_key(*item.image, source_date_epoch(), item.partition->unpack_limit);
        if (!root.facts) {
            root.facts = std::make_unique<RootFacts>(item.root_key, item.image->name(),
                                                     [&maker, &root, &item]() -> const rootfs::RootImage& {
                                                         if (!root.image)
                                                             root.image = maker.make(item);
                                                         return *root.image;
                                                     });
            if (at_once)
                root.facts->learn();
            bytes += root.facts->bytes();
            if (!root.image)
                expect_layers(manifest, item);
            if (bytes > bundle::max_total_size)
                too_large(manifest, item, "root images", bytes);
        }
        item.root = root.image;
        item.content.root_bytes = root.facts->bytes();
        item.startup = resolve_startup(manifest, *item.partition, item.image->config(), *root.facts);
        item.content.startup = encode(*item.startup, item.partition->name);
        item.content.stop_signal = item.startup->stop_signal;
        if (lazy != nullptr && lazy->packages)
            item.packages = root.facts->packages();
        if (const std::string problem = start_problem(*item.startup, *root.facts); !problem.empty())
            item.warnings.push_back("'" + item.partition->name + "': " + problem);
    }
    for (const auto& [digest, root] : roots)
        root.facts->keep();
    if (roots.empty() || !observer.step)
        return;
    const auto counted = [](std::uint64_t count, const char* one, const char* many) {
        return std::to_string(count) + " " + (count == 1 ? one : many) + ", ";
    };
    const std::string what = maker.files() == 0 ? "known from before, "
                                                : counted(maker.files(), "file", "files") +
                                                      counted(maker.whiteouts(), "whiteout", "whiteouts");
    observer.step("flatten", what + manifest::size_text(bytes) + " of root images", watch.lap());
}

} // namespace build
