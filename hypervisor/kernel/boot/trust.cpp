// SPDX-License-Identifier: Apache-2.0
#include "hypervisor/kernel/boot/stages.hpp"

#include "hypervisor/core/vcpu/breath.hpp"
#include "hypervisor/kernel/panic/panic.hpp"
#include "hypervisor/kernel/partition/load.hpp"

namespace hv {
namespace {

alignas(64) constinit std::array<std::byte, bundle::max_leaf_list_bytes> leaf_copy{};

template <typename T> T accept(bundle::Result<T> result) {
    if (!result.ok())
        refuse_bundle(result.error());
    return std::move(result).value();
}

// Copies a section out of the file; it is verified in the copy and only the copy is read.
std::span<const std::byte> private_copy(const bytes::Source& file, std::uint32_t index,
                                        std::span<std::byte> room) {
    const bytes::Source section = accept(bundle::section_bytes(*found().contents, index, file));
    if (section.size() > room.size())
        refuse_to_start("bundle refused: its plan is larger than this loader takes");
    const auto copy = room.first(static_cast<std::size_t>(section.size()));
    if (!section.copy(0, copy))
        refuse_bundle({bundle::Error::unreadable, index});
    return copy;
}

// A section, seen through this CPU's source window: in the bundle, or where it was placed in a partition's memory. One at
// a time.
class SectionView {
public:
    explicit SectionView(std::uint32_t section, const Partition* placed = nullptr, std::uint64_t gpa = 0)
        : placed_(placed), start_(placed != nullptr ? gpa : machine().sections[section].offset),
          size_(machine().sections[section].bytes) {}
    [[nodiscard]] std::span<const std::byte> operator()(std::uint64_t offset, std::size_t length) const {
        window_.reset();
        virt::breathe();
        const bool fast = found().hash_engine == crypto::Sha256Engine::sha_extensions; // four times, at least
        length = std::min(length, fast ? 4 * vcpu::hash_piece : vcpu::hash_piece);
        auto window = placed_ != nullptr ? Window::guest(WindowSide::source, placed_->index,
                                                         base::GuestPhysAddr{start_ + offset}, length, false)
                                         : Window::bundle(WindowSide::source, start_ + offset, length);
        if (!window)
            return {};
        window_.emplace(std::move(*window));
        return window_->bytes();
    }
    [[nodiscard]] bytes::Source source() const { return {*this, size_}; }

private:
    const Partition* placed_; // or null: the bundle
    std::uint64_t start_, size_;
    mutable std::optional<Window> window_; // of the piece last asked for
};

// The first piece of a root that is to be copied, or nothing.
const plan::Piece* copied_root(const Partition& partition, std::uint32_t section) {
    if (found().plan->partition(partition.index).root_section != section)
        return nullptr;
    for (const plan::Piece& piece : bound_plan().pieces_of(partition.index))
        if (piece.kind == plan::RegionKind::root_image && piece.copied)
            return &piece;
    return nullptr;
}

// A root image that bind() placed in frames of its own: copied there, then hashed there.
bundle::Status verify_copy(const Partition& partition, std::uint32_t section, std::uint64_t gpa) {
    base::expects(copy_to_guest(partition, {gpa, machine().sections[section].bytes, 0, section, 0}),
                  "verify_copy: the region of the plan is not bound");
    const SectionView placed{section, &partition, gpa};
    return bundle::verify_section(*found().contents, found().leaves, section, placed.source(),
                                  found().hash_engine);
}

// Leaves `first`, `first + stride`, ... of a section.
bundle::Status verify_leaves(std::uint32_t section, std::uint64_t first, std::uint64_t stride) {
    const SectionView view{section};
    const bytes::Source source = view.source();
    for (std::uint64_t leaf = first; leaf < found().contents->leaf_count(section); leaf += stride)
        CAISSON_TRY(bundle::verify_leaf(*found().contents, found().leaves, section, leaf, source,
                                        found().hash_engine));
    return base::success;
}

} // namespace

void refuse_bundle(const bundle::Issue& issue) {
    LogLine line;
    line << "bundle refused: " << bundle::describe(issue.error);
    if (issue.section != bundle::no_index && found().contents) {
        line << " (section '" << found().contents->section_name(issue.section) << '\'';
        if (issue.error == bundle::Error::leaf_mismatch)
            line << " leaf " << issue.leaf;
        line << ')';
    }
    console::audit_event("integrity", [&](audit::Record& record) {
        record.add("result", "refused").add("detail", bundle::describe(issue.error));
        if (issue.section != bundle::no_index)
            record.add("section", found().contents->section_name(issue.section));
        if (issue.error == bundle::Error::leaf_mismatch)
            record.add("leaf", issue.leaf);
    });
    refuse_with(line.view());
}

bundle::Signer verify_header_and_plan() {
    Machine& m = machine_in_making();
    const auto whole = cpu::bytes_at(base::VirtAddr{found().boot.module.base}, found().boot.module.bytes);
    const bytes::Source file{std::span<const std::byte>{whole}};
    bundle::HeaderBuffer& header = found().header.emplace();
    accept(header.load(file));
    const bundle::Signer signer = accept(bundle::verify_signature(header, trusted_keys, found().hash_engine));
    if (signer.development)
        console::log("DEVELOPMENT KEY: this bundle is signed by a key made for one user's tests");
    const bundle::Contents& contents =
        found().contents.emplace(accept(bundle::Contents::parse(header, found().hash_engine)));
    found().leaves = private_copy(file, contents.leaves_section(), leaf_copy);
    accept(bundle::verify_leaf_lists(contents, found().leaves, found().hash_engine));
    const auto table = private_copy(file, contents.table_section(), m.table);
    accept(bundle::verify_section(contents, found().leaves, contents.table_section(), bytes::Source{table},
                                  found().hash_engine));
    for (std::uint32_t gap = 0; gap < contents.gap_count(); ++gap)
        accept(bundle::verify_gap(contents, gap, file));
    auto plan = plan::Plan::parse(table);
    if (!plan.ok())
        refuse_to_start("bundle refused: its plan: ", plan::describe(plan.error().error));
    found().plan.emplace(plan.value());
    m.behaviour = plan->header().behaviour;
    m.table_bytes = table.size();
    return signer;
}

bundle::Status verify_share(const Cpu& cpu) {
    const bundle::Contents& contents = *found().contents;
    const std::uint64_t cpu_count = machine().cpus.size();
    const Partition* const own = cpu.vcpu != nullptr ? cpu.vcpu->partition : nullptr;
    std::uint64_t shared_before = 0; // leaves of sections that no partition owns alone, dealt out in turn
    for (std::uint32_t index = 0; index < contents.section_count(); ++index) {
        if (index == contents.leaves_section() || index == contents.table_section())
            continue;
        const plan::Piece* const copy = own != nullptr ? copied_root(*own, index) : nullptr;
        if (copy != nullptr && cpu.vcpu->core.index == 0)
            CAISSON_TRY(verify_copy(*own, index, copy->gpa));
        const std::uint32_t owner = contents.section(index).partition;
        if (owner >= machine().partitions.size()) {
            const std::uint64_t first = (cpu.index + cpu_count - shared_before % cpu_count) % cpu_count;
            CAISSON_TRY(verify_leaves(index, first, cpu_count));
            shared_before += contents.leaf_count(index);
        } else if (own != nullptr && own->index == owner && copy == nullptr) {
            CAISSON_TRY(verify_leaves(index, cpu.vcpu->core.index, own->vcpus.size()));
        }
    }
    return base::success;
}

} // namespace hv
