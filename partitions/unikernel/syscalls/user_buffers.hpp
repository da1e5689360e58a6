// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/syscalls/user_buffers.hpp - what the handlers of files share: paths, buffers and waiting.
#pragma once

#include "partitions/unikernel/fs/files/transfer.hpp"
#include "partitions/unikernel/fs/operations.hpp"
#include "partitions/unikernel/sched/wait.hpp"
#include "partitions/unikernel/syscalls/syscalls.hpp"
#include "partitions/unikernel/task/process.hpp"

#include <array>
#include <span>
#include <string_view>

namespace uk::files {

inline constexpr std::uint64_t most_bytes = 0x7ffff000; // that one call moves
inline constexpr std::size_t most_segments = 1024;      // IOV_MAX

// A path from user memory: short ones on the stack, long ones on the heap.
class UserPath {
public:
    UserPath() = default;
    UserPath(const UserPath&) = delete;
    UserPath& operator=(const UserPath&) = delete;
    ~UserPath();
    // Errors: fault, nametoolong, nomem.
    [[nodiscard]] Status read(mm::UserAddress from);
    [[nodiscard]] std::string_view view() const { return view_; }

private:
    std::array<char, 256> short_; // filled by read()
    char* long_ = nullptr;
    std::string_view view_;
};

struct Segment { // struct iovec
    std::uint64_t base;
    std::uint64_t bytes;
};

// The user memory of one call, in segments.
class UserBuffers {
public:
    UserBuffers() = default;
    UserBuffers(const UserBuffers&) = delete;
    UserBuffers& operator=(const UserBuffers&) = delete;
    ~UserBuffers();
    void set(mm::UserAddress base, std::uint64_t bytes);
    // Errors: inval, fault, nomem.
    [[nodiscard]] Status read_vector(mm::UserAddress vector, std::uint64_t count);
    [[nodiscard]] fs::Destination destination() { return {put, this, bytes_}; }
    [[nodiscard]] fs::Origin origin() { return {take, this, bytes_}; }
    [[nodiscard]] std::uint64_t bytes() const { return bytes_; }
    [[nodiscard]] std::span<const Segment> segments() const { return segments_; }

private:
    template <typename Copy>
    [[nodiscard]] std::uint64_t each(std::uint64_t offset, std::uint64_t bytes, Copy copy);
    [[nodiscard]] static std::uint64_t put(void* self, std::uint64_t offset,
                                           std::span<const std::byte> bytes);
    [[nodiscard]] static std::uint64_t take(void* self, std::uint64_t offset, std::span<std::byte> bytes);

    std::array<Segment, 8> few_; // the first of segments_.size()
    Segment* many_ = nullptr;
    std::span<const Segment> segments_;
    std::uint64_t bytes_ = 0;
    // Copies go forward: where the last one ended.
    std::size_t index_ = 0;
    std::uint64_t segment_start_ = 0;
};

[[nodiscard]] inline fs::Context& context() {
    return current_process().context;
}
[[nodiscard]] inline fs::FileTable& table() {
    return *current_process().files;
}
// A descriptor that is open for more than its path. badf.
[[nodiscard]] Result<Ref<fs::File>> usable(int descriptor);
// Where a relative path of an *at call begins. An absolute path does not look at the descriptor.
[[nodiscard]] Result<Ref<fs::Node>> start_of(int directory, std::string_view path);
// The node a path names, seen from a directory descriptor.
[[nodiscard]] Result<Ref<fs::Node>> find_at(int directory, mm::UserAddress path, std::uint32_t flags);

// Tries until it works, fails for another reason than `again`, or the file is not to be waited for.
template <typename Attempt> [[nodiscard]] SyscallResult wait_while_again(fs::File& file, Attempt attempt) {
    for (;;) {
        const SyscallResult result = attempt();
        WaitQueue* queue = fs::wait_queue(file);
        if (result.ok() || result.error() != Errno::again || file.non_blocking() || queue == nullptr)
            return result;
        CAISSON_TRY(sched::wait(*queue, never));
    }
}

// A whole read or write at the file's position, as read(2) and write(2) do it: waiting, SIGPIPE.
[[nodiscard]] SyscallResult read_whole(fs::File& file, fs::Destination& to);
[[nodiscard]] SyscallResult write_whole(fs::File& file, fs::Origin& from);
void send_broken_pipe(); // SIGPIPE, to the thread that wrote

} // namespace uk::files
