// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/fs/overlay/volume.hpp - one file system: the root with its overlay, a tmpfs, /proc, /sys.
//
// Root and tmpfs are one implementation: nodes in memory that may show a lower EROFS inode through. Directory
// names are merged (a whiteout hides a lower name), file pages are copied up one by one when written.
// Renaming a lower directory moves its node, nothing is copied. Hard links of the lower image stay one node:
// nodes are cached by nid.
#pragma once

#include "partitions/unikernel/fs/erofs/erofs.hpp"
#include "partitions/unikernel/fs/overlay/name_cache.hpp"
#include "partitions/unikernel/fs/overlay/node.hpp"

namespace uk::fs {

enum class VolumeKind : std::uint8_t { overlay, tmpfs, device, terminals, proc, sys, anonymous };

class Volume {
public:
    Volume(VolumeKind kind, std::uint32_t id, std::uint64_t limit) : kind_(kind), id_(id), limit_(limit) {}
    Volume(const Volume&) = delete;
    Volume& operator=(const Volume&) = delete;
    ~Volume() = default;

    // The root directory with its first reference.
    [[nodiscard]] Result<Ref<Node>> make_root(std::uint32_t mode);
    [[nodiscard]] Result<Ref<Node>> open_image(std::span<const std::byte> image);

    // noent: no such name. `directory` belongs to this volume.
    [[nodiscard]] Result<Ref<Node>> look_up(Node& directory, std::string_view name);
    // A new node without a name.
    [[nodiscard]] Result<Ref<Node>> make_node(std::uint32_t mode, std::uint32_t user, std::uint32_t group);
    [[nodiscard]] Status set_target(Node& link, std::string_view target);
    [[nodiscard]] Result<Ref<Node>> make_synthetic(const SyntheticIdentity& identity, std::uint32_t mode);

    // Names. The caller has looked the name up: it is free (add), or names `node` (remove).
    [[nodiscard]] Status add_name(Node& directory, std::string_view name, Node& node);
    [[nodiscard]] Status remove_name(Node& directory, std::string_view name, Node& node);
    // Moves `node`; `victim` is what `to_name` names now, or nullptr. All or nothing.
    [[nodiscard]] Status move_name(Node& from, std::string_view from_name, Node& node, Node& to,
                                   std::string_view to_name, Node* victim);
    [[nodiscard]] Status exchange_names(Node& from, std::string_view from_name, Node& node, Node& to,
                                        std::string_view to_name, Node& other);
    [[nodiscard]] bool is_empty(Node& directory);
    // The name under which `directory` holds `node`, or an empty view.
    [[nodiscard]] std::string_view name_of(Node& directory, const Node& node);
    // The name behind position `cookie` (0: the first), "." and ".." left out; nothing at the end.
    struct ListedName {
        std::string_view name;
        std::uint64_t number = 0;
        std::uint32_t type = 0;
        std::uint64_t next = 0;
    };
    [[nodiscard]] Result<std::optional<ListedName>> name_at(Node& directory, std::uint64_t cookie);

    // Charges `bytes` to the limit. Errors: nospc.
    [[nodiscard]] Status charge(std::uint64_t bytes);
    void refund(std::uint64_t bytes);
    // Keeps a node that differs from the image from being freed while it has a name. Errors: rofs, nospc.
    [[nodiscard]] Status prepare_change(Node& node);
    void drop_name(Node& node); // one name less
    void forget(Node& node);    // at the last reference: frees it, but not its hold on the parent
    void drop_all(Node& root);  // forgets every change, for the end of a test
    void drop_entry(Node& directory, DirectoryEntry& entry);
    // Nodes that are kept for speed only go, as far as nothing else holds them. False: there were none.
    bool give_back_kept() { return known_.clear(); }

    [[nodiscard]] VolumeKind kind() const { return kind_; }
    [[nodiscard]] std::uint64_t device() const { return make_device(0, id_); }
    [[nodiscard]] std::uint32_t id() const { return id_; }
    [[nodiscard]] bool read_only() const { return read_only_; }
    void set_read_only(bool on) { read_only_ = on; }
    [[nodiscard]] const Erofs* lower() const { return image_.is_open() ? &image_ : nullptr; }
    [[nodiscard]] std::uint64_t limit() const { return limit_; }
    void set_limit(std::uint64_t limit) { limit_ = limit; }
    [[nodiscard]] std::uint64_t used() const { return used_; }
    [[nodiscard]] std::uint64_t nodes() const { return nodes_; }

    Volume* next = nullptr; // list of the tree
    Ref<Node> mount_point;  // empty for the root

private:
    static constexpr std::size_t buckets = 64;
    [[nodiscard]] Result<Ref<Node>> lower_node(std::uint64_t nid);
    [[nodiscard]] Result<ErofsName> lower_name(const Node& directory, std::string_view name) const;
    void remember_name(Node& node, std::string_view name);
    struct Reservation {
        DirectoryEntry* entry = nullptr;
        bool made = false;
    };
    // The entry of a name, made where only the lower image has the name; it holds what the name means now.
    [[nodiscard]] Result<Reservation> reserve(Node& directory, std::string_view name, Node* meaning);
    void cancel(Node& directory, Reservation reservation);
    void clear_name(Node& directory, DirectoryEntry& entry);

    VolumeKind kind_;
    std::uint32_t id_;
    std::uint64_t limit_;
    std::uint64_t used_ = 0;
    std::uint64_t nodes_ = 0;
    std::uint64_t next_number_ = 1;
    bool read_only_ = false;
    Erofs image_;
    Node* cache_[buckets] = {}; // nodes with a lower inode, by nid
    NameCache known_;           // names of the image
};

} // namespace uk::fs
