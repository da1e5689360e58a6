// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/fs/files/file.hpp - an open file description: what a descriptor stands for, and what
// can be done with each kind of them.
//
// A kind is a FileOperations, defined in one file beside its state; nothing else knows of it. Nothing here
// blocks: an operation that would have to wait returns Errno::again, and the caller waits on wait_queue() and
// tries again unless the file is non-blocking.
#pragma once

#include "partitions/unikernel/fs/files/transfer.hpp"
#include "partitions/unikernel/fs/overlay/node.hpp"

namespace uk::fs {

struct Async;
struct File;
struct Watch;

enum class Positions : std::uint8_t {
    none,    // ESPIPE
    zero,    // lseek gives 0, pread ESPIPE (anonymous inodes)
    ignored, // lseek gives 0, pread and pwrite are read and write (devices)
    kept,    // moved by read, write and lseek
};

// Requests of fcntl(2) and ioctl(2) that a kind answers itself.
namespace control {
inline constexpr std::uint32_t bytes_waiting = 0x541B; // FIONREAD: bytes that a read would give at once
inline constexpr std::uint32_t set_pipe_size = 1031, get_pipe_size = 1032;
inline constexpr std::uint32_t add_seals = 1033, get_seals = 1034;
} // namespace control

struct FileOperations {
    // `offset` counts only with positions. inval where there is none.
    Result<std::uint64_t> (*read)(File& file, std::uint64_t offset, Destination& to) = nullptr;
    Result<std::uint64_t> (*write)(File& file, std::uint64_t offset, Origin& from) = nullptr;
    // What poll(2) would report now. Where there is none the file is always ready, and epoll refuses it.
    std::uint32_t (*readiness)(File& file) = nullptr;
    // Woken with the events that came. None: readiness never changes.
    WaitQueue& (*wait)(File& file) = nullptr;
    // May it be mapped so? True: as anonymous memory (/dev/zero). nodev where there is none.
    Result<bool> (*map)(const File& file, bool shared, bool write) = nullptr;
    Result<std::uint64_t> (*control)(File& file, std::uint32_t request, std::uint64_t argument) = nullptr;
    // What /proc/PID/fdinfo tells of this kind besides, a line each.
    void (*information)(File& file, TextSink& out) = nullptr;
    void (*release)(File& file) = nullptr; // the last descriptor is closed; frees `state`
    Positions positions = Positions::none;
    bool tells = false; // has O_ASYNC: its news can be a signal
};

// Kinds that more than their own file asks for.
extern const FileOperations regular_file, directory_file, path_file /* O_PATH */, synthetic_file,
    memory_file /* /proc/PID/mem */, console_file, pipe_file, epoll_file;

struct File {
    std::uint32_t references = 0;
    bool readable = false, writable = false;
    std::uint8_t lock = 0;   // flock(2): 0, 1 shared, 2 exclusive
    std::uint32_t flags = 0; // as open(2) was given, without the creation flags
    const FileOperations* operations = nullptr;
    std::uint64_t position = 0;
    Ref<Node> node;
    void* state = nullptr;    // of the kind
    Watch* watches = nullptr; // epoll's, of this file
    Async* async = nullptr;   // whom its news is a signal to
    TextSink text;            // synthetic

    [[nodiscard]] bool is(const FileOperations& kind) const { return operations == &kind; }
    [[nodiscard]] bool non_blocking() const { return (flags & open_flag::non_block) != 0; }
};

void retain(File& file);
void release(File& file);
[[nodiscard]] Result<Ref<File>> make_file(Ref<Node> node, const FileOperations& kind, std::uint32_t flags);

// At the file's position, which moves. Errors: badf (not opened for it), isdir, again, pipe, ...
[[nodiscard]] Result<std::uint64_t> read_file(File& file, Destination& to);
[[nodiscard]] Result<std::uint64_t> write_file(File& file, Origin& from);
// At an offset; spipe where the file has no positions.
[[nodiscard]] Result<std::uint64_t> read_file_at(File& file, std::uint64_t offset, Destination& to);
[[nodiscard]] Result<std::uint64_t> write_file_at(File& file, std::uint64_t offset, Origin& from);
[[nodiscard]] Result<std::uint64_t> seek_file(File& file, std::int64_t offset, int whence);

// What poll(2) would report now.
[[nodiscard]] std::uint32_t readiness(File& file);
// nullptr: readiness never changes.
[[nodiscard]] WaitQueue* wait_queue(File& file);
// notty where the kind has no such request.
[[nodiscard]] Result<std::uint64_t> control_file(File& file, std::uint32_t request, std::uint64_t argument);

// May the file be mapped so? Errors: badf, acces, nodev. True: as anonymous memory (/dev/zero).
[[nodiscard]] Result<bool> check_mapping(const File& file, bool shared, bool writable);
[[nodiscard]] MapUse map_use(const File& file, bool shared);

// What RLIMIT_FSIZE and the file system leave of a change that ends at `end`. fbig, with SIGXFSZ for the limit.
[[nodiscard]] Status check_new_size(std::uint64_t end);

// The text of /proc/PID/fdinfo/N.
void describe_open_file(File& file, bool close_on_exec, TextSink& out);
// "/usr/bin/app", " (deleted)" appended where it has no name any more, "pipe:[7]". For /proc and maps.
void describe(Node& node, const Node& root, TextSink& out);

} // namespace uk::fs
