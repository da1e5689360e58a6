// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/fs/overlay/node.hpp - one file, directory, link, device or pipe of any file system.
//
// A node of the root image is made when it is first looked up and freed with its last reference, unless
// something changed in it: then it is `pinned` and lives as long as it has a name. A node holds its parent,
// so the path of every node in use can be told; a directory has one parent, a file the one it was last
// reached through.
#pragma once

#include "partitions/unikernel/base/ref.hpp"
#include "partitions/unikernel/fs/erofs/erofs.hpp"
#include "partitions/unikernel/fs/overlay/directory.hpp"
#include "partitions/unikernel/fs/overlay/page_map.hpp"
#include "partitions/unikernel/fs/seam.hpp"
#include "partitions/unikernel/fs/types.hpp"
#include "partitions/unikernel/mm/frames.hpp"
#include "partitions/unikernel/mm/object.hpp"

#include <cstdint>
#include <span>
#include <string_view>

namespace uk::fs {

class Volume;
class Pipe;
class Destination;
class Origin;
struct LockSet;
struct NodeWatch;

// As ext4 with blocks of 4 KiB.
inline constexpr std::uint64_t largest_file = 0xFFF'FFFF'F000;
inline constexpr std::uint64_t no_lower = ~std::uint64_t{0};

// What an entry of /proc or /sys is: an index into the table of synthetic.cpp, of a process, thread or
// descriptor.
struct SyntheticIdentity {
    std::uint16_t entry = 0;
    int process = 0;
    int thread = 0;
    int descriptor = -1;
};

// What a file of memfd_create(2) no longer lets anybody do (F_SEAL_...).
namespace seal {
inline constexpr std::uint8_t seal = 1, shrink = 2, grow = 4, write = 8, future_write = 0x10, execute = 0x20;
inline constexpr std::uint8_t known = 0x3F, not_offered = 0x80; // not_offered: it is no such file
} // namespace seal

struct Node {
    std::uint32_t references = 0;
    std::uint32_t mode = 0;
    std::uint32_t user = 0, group = 0;
    std::uint32_t links = 0;
    std::uint32_t writers = 0;    // open files that may write to it
    std::uint32_t executions = 0; // processes that run it
    std::uint8_t seals = seal::not_offered;
    bool linkable = false;     // O_TMPFILE: its first name may come later
    bool charged = false;      // its memory counts towards the volume's limit
    bool pinned = false;       // holds a reference to itself while it has a name
    bool lower_opaque = false; // the lower file's contents (or names) no longer show
    bool owns_target = false;
    bool capabilities_lost = false; // of the image's file: its contents or owner changed
    unsigned console = 0;           // the console as stdout and stderr: its stream, 1 or 2
    Volume* volume = nullptr;
    Node* parent = nullptr;  // referenced
    Node* mounted = nullptr; // root of the volume mounted here, referenced
    Node* covers = nullptr;  // of a mounted volume's root: the directory it is mounted on
    Node* next_cached = nullptr;
    std::uint64_t number = 0;
    std::uint64_t lower = no_lower; // EROFS nid
    ErofsInode inode;               // what it says, decoded
    std::uint64_t lower_size = 0;   // bytes of the lower file that still show
    std::uint64_t size = 0;
    std::uint64_t special_device = 0;
    Timestamp accessed = 0, modified = 0, changed = 0;
    mm::PhysAddr tail_copy{}; // of an inlined end that was mapped: its page has neighbours' metadata
    PageMap pages;            // regular: pages written here; the others show the lower file, or zeros
    DirectoryEntries entries; // directory: names made, replaced or deleted here
    std::string_view target;  // symlink
    Pipe* pipe = nullptr;     // fifo, once opened
    LockSet* locks = nullptr;
    NodeWatch* watches = nullptr; // inotify's
    SyntheticIdentity synthetic;
    mm::Mappings mappings; // ranges of memory that show it: changes of its pages are reported to them

    [[nodiscard]] bool sealed(std::uint8_t against) const {
        return seals != seal::not_offered && (seals & against) != 0;
    }
    [[nodiscard]] std::uint32_t type() const { return mode & mode::type_mask; }
    [[nodiscard]] bool nid_is(std::uint64_t nid) const { return lower == nid; }
    [[nodiscard]] bool is_directory() const { return type() == mode::directory; }
    [[nodiscard]] bool is_regular() const { return type() == mode::regular; }
    [[nodiscard]] bool is_symlink() const { return type() == mode::symlink; }
};

void retain(Node& node);
void release(Node& node);

// May `who` do all of `wanted` (want::...) to the node? Modes only; a read-only volume is the caller's
// affair.
[[nodiscard]] bool permits(const Node& node, const Credentials& who, unsigned wanted);

// A target, or the name that a node without a place shows, as a copy of its own. nomem.
[[nodiscard]] Status set_generated_target(Node& node, const TextSink& text);

// ---- Contents of regular files. Permissions were checked when the file was opened.

[[nodiscard]] Result<std::uint64_t> read_node(Node& node, std::uint64_t offset, Destination& to);
[[nodiscard]] Result<std::uint64_t> write_node(Node& node, std::uint64_t offset, Origin& from);
// These two work in pieces: others may have the kernel meanwhile, and find the file whole.
// Makes [offset, offset + bytes) of the file's present size read as zeros.
[[nodiscard]] Status clear_node(Node& node, std::uint64_t offset, std::uint64_t bytes);
// The end first reads as zeros, piece by piece, and then is gone.
[[nodiscard]] Status resize_node(Node& node, std::uint64_t size);
// Reads for the kernel (ELF headers and the like): bytes read, less only at the end of the file.
[[nodiscard]] Result<std::size_t> read_node(Node& node, std::uint64_t offset, std::span<std::byte> to);

// What shows at `offset` where no page was written: the lower file's bytes in one piece, or zeros (no data).
[[nodiscard]] Result<ErofsRun> lower_run(const Node& node, std::uint64_t offset);
// Pages of the lower file that still show and are no holes.
[[nodiscard]] std::uint64_t lower_pages(const Node& node);
void drop_tail_copy(Node& node);

// Large files without a name or a user wait to be freed, a piece at a time: by whoever goes back to a program, by who is idle,
// and when memory is short.
extern Node* leaving_nodes; // linked by next_cached
bool free_a_piece();        // false: there was nothing

// ---- Pages for mmap (mm/object.hpp): map_page, mappings_of.

using mm::MappedPage;
using mm::MapUse;

} // namespace uk::fs
