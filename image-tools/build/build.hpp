// SPDX-License-Identifier: Apache-2.0
// image-tools/build/build.hpp - the whole way from a manifest to a signed bundle and its loader ELF.
//
// Invariants: outputs appear complete under their names or not at all; the same inputs and key give the same
// bytes.
#pragma once

#include "image-tools/build/planning.hpp"
#include "image-tools/build/startup.hpp"
#include "image-tools/bundle/audit_key.hpp"
#include "image-tools/bundle/loader_elf.hpp"
#include "image-tools/bundle/sections.hpp"
#include "image-tools/manifest/manifest.hpp"
#include "image-tools/oci/image.hpp"
#include "image-tools/registry/images.hpp"
#include "image-tools/rootfs/root_image.hpp"
#include "image-tools/sbom/package.hpp"
#include "image-tools/trust/approval.hpp"
#include "image-tools/trust/signature.hpp"

#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace build {

// A step that is done: "flatten", "4,213 files, 31 whiteouts", seconds.
using StepDone = std::function<void(std::string_view name, const std::string& detail, double seconds)>;

struct Observer {
    diagnostic::Progress progress;
    StepDone step;
};

// What a partition turned out to be.
struct PreparedPartition {
    const manifest::Partition* partition = nullptr;
    std::optional<oci::Image> image;
    std::shared_ptr<const rootfs::RootImage> root; // its own, or that of all with this image
    std::string root_key;                          // what the root is made of (root_facts.hpp)
    std::optional<Startup> startup;
    std::string kernel;                    // of `kernel:` partitions and the uplink: the ELF
    std::optional<sbom::Summary> packages; // where they were asked for
    std::optional<trust::Verdict> verdict; // on the image; nothing: no policy was named
    std::vector<std::string> warnings;     // it will not do what was meant
    std::vector<std::string> notes;        // what the image says that has no effect here
    PartitionContent content;

    // What it starts from, in a word: the image's reference or the kernel's file.
    [[nodiscard]] const std::string& source() const;
};

// The kernel of the uplink, as it lies beside the others.
inline const std::string uplink_elf = "uplink.elf";

struct Prepared {
    std::vector<PreparedPartition> partitions;
    // The unikernel's ELFs, without and with a network; empty: no partition needs it.
    std::string unikernel, networked_unikernel;
    bool with_bill = false; // the bundle gets a section of its packages
};

// Where root images go: nowhere (what is known of them must do), each into a file of a folder, when it is asked for or at
// once, or all to their places in a bundle.
struct WhenAsked {
    std::filesystem::path folder;
    bool packages = false; // what packages are in them is asked for
};
using RootTarget = std::variant<std::monostate, WhenAsked, std::filesystem::path, files::AtomicFile*>;

// Images opened (brought from their registries first) and verified, kernels read, images flattened as the target says.
Prepared prepare(const manifest::Manifest& manifest, const bundle::Library& library,
                 const registry::ImagesOptions& images, const RootTarget& target, const Observer& observer);

struct BundleContent {
    std::vector<bundle::SectionInput> sections; // all but the leaves, in the bundle's order
    std::vector<std::byte> table;               // the plan's, one of the sections
};

// What write_bundle writes for what was prepared; fills in the section numbers.
BundleContent bundle_content(const manifest::Manifest& manifest, Prepared& prepared);

struct BuildOptions {
    std::filesystem::path bundle;
    std::filesystem::path elf;                // empty: beside the bundle, NAME.elf
    std::vector<std::filesystem::path> media; // made of both (media.hpp)
    Observer observer;
    registry::ImagesOptions images{}; // how registries are used, and what is pinned
    bool bill = false;                // the bundle has a section `sbom`
    bool digests = false;             // the result has the files' SHA-256
    bool for_here = false;            // run by whoever builds it: the loader asks for nobody's approval
    bundle::PolicyMark policy{};      // what the plan's policies said
    std::vector<trust::Approval> approvals{}; // go into the header; E0516 where they are of another bundle
    const board::Facts* board =
        nullptr; // bound to it instead of the manifest's machine; where it refuses, nothing is built
};

struct BuildResult {
    std::filesystem::path bundle;
    std::filesystem::path elf;
    bundle::WrittenBundle written;
    std::vector<std::filesystem::path> media;
    bundle::PublicKey key{};
    bool development = false;
    bool development_key_made = false;
    bool bill = false;           // as it was asked for
    bundle::PolicyMark policy{}; // the same
    std::vector<trust::Approval> approvals{};
    bool unchanged = false;                // nothing was written: the files are what they would be
    std::string bundle_sha256, elf_sha256; // of the files, where asked for
    std::vector<std::string> warnings, notes;
};

BuildResult build(const manifest::Manifest& manifest, const bundle::Library& library,
                  const BuildOptions& options);

// The one PVH module with which QEMU alone starts the unikernel for that partition
// (partitions/abi/boot_page.h, "Straight under QEMU").
void write_direct_module(const manifest::Manifest& manifest, const std::string& partition,
                         const bundle::Library& library, const registry::ImagesOptions& images,
                         const std::filesystem::path& output, const Observer& observer);

// The signing key of the manifest, or the user's development key.
bundle::SigningKey signing_key(const manifest::Manifest& manifest, bool& made);

// The policy that the manifest names (trust:); nothing: every image is taken. Throws E0433, E0514, E0601.
std::optional<trust::Policy> policy_of(const manifest::Manifest& manifest);

// The operator's key for the audit log, zeros without one.
bundle::AuditPublicKey audit_key(const manifest::Manifest& manifest);

// The keys that go into the ELF: the signer and the manifest's others, with what the manifest demands of a bundle; `policy` is
// what this one was judged by. Throws E0502, E0516 where a key stands there for two things.
bundle::KeyTable trusted_keys(const manifest::Manifest& manifest, const bundle::SigningKey& key,
                              const bundle::PolicyMark& policy);

// A folder of its own under `parent`, removed with everything in it at the end.
class WorkFolder {
public:
    explicit WorkFolder(const std::filesystem::path& parent);
    WorkFolder(const WorkFolder&) = delete;
    WorkFolder& operator=(const WorkFolder&) = delete;
    [[nodiscard]] const std::filesystem::path& path() const { return path_; }

private:
    std::filesystem::path path_;
    std::optional<files::Scratch> scratch_;
};

// SOURCE_DATE_EPOCH, when it is set and a number.
std::optional<std::int64_t> source_date_epoch();

} // namespace build
