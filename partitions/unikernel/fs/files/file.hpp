// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/fs/files/file.hpp - an open file description: what a descriptor stands for.
//
// Nothing here blocks: an operation that would have to wait returns Errno::again, and the caller waits on
// wait_point() and tries again unless the file is non-blocking.
#pragma once

#include "partitions/unikernel/fs/files/transfer.hpp"
#include "partitions/unikernel/fs/overlay/node.hpp"

namespace uk::fs {

struct EventCounter;
struct EpollSet;

enum class FileKind : std::uint8_t {
    regular,
    directory,
    path_only, // O_PATH, and symlinks opened with it
    synthetic, // /proc, /sys: text made when it is read
    device,
    console, // stdout, stderr
    pipe,
    event,
    epoll,
    socket, // never connected to anything
};

struct File {
    std::uint32_t references = 0;
    FileKind kind = FileKind::regular;
    bool readable = false, writable = false;
    std::uint32_t flags = 0; // as open(2) was given, without the creation flags
    std::uint64_t position = 0;
    Ref<Node> node;
    TextSink text;                 // synthetic
    EventCounter* event = nullptr; // event
    EpollSet* epoll = nullptr;     // epoll
    std::uint8_t lock = 0;         // flock(2): 0, 1 shared, 2 exclusive

    [[nodiscard]] bool non_blocking() const { return (flags & open_flag::non_block) != 0; }
};

void retain(File& file);
void release(File& file);
[[nodiscard]] Result<Ref<File>> make_file(Ref<Node> node, FileKind kind, std::uint32_t flags);

// At the file's position, which moves. Errors: badf (not opened for it), isdir, again, pipe, ...
[[nodiscard]] Result<std::uint64_t> read_file(File& file, Destination& to);
[[nodiscard]] Result<std::uint64_t> write_file(File& file, Origin& from);
// At an offset; spipe where the file has no positions.
[[nodiscard]] Result<std::uint64_t> read_file_at(File& file, std::uint64_t offset, Destination& to);
[[nodiscard]] Result<std::uint64_t> write_file_at(File& file, std::uint64_t offset, Origin& from);
[[nodiscard]] Result<std::uint64_t> seek_file(File& file, std::int64_t offset, int whence);

// What poll(2) would report now.
[[nodiscard]] std::uint32_t readiness(File& file);
// nullptr: always ready.
[[nodiscard]] WaitPoint* wait_point(File& file);
// Bytes that a read would give at once (FIONREAD); notty where that has no meaning.
[[nodiscard]] Result<std::uint64_t> bytes_waiting(File& file);

// May the file be mapped so? Errors: acces, nodev. True: as anonymous memory (/dev/zero).
[[nodiscard]] Result<bool> check_mapping(const File& file, bool shared, bool writable);
[[nodiscard]] MapUse map_use(const File& file, bool shared);

// "/usr/bin/app", " (deleted)" appended where it has no name any more, "pipe:[7]". For /proc and maps.
void describe(Node& node, const Node& root, TextSink& out);

} // namespace uk::fs
