// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/syscalls/user_buffers.cpp - paths and buffers in user memory; waiting for a file.
#include "partitions/unikernel/syscalls/user_buffers.hpp"

#include "partitions/unikernel/fs/files/pipe.hpp"
#include "partitions/unikernel/mm/heap.hpp"
#include "partitions/unikernel/sched/scheduler.hpp"
#include "partitions/unikernel/signal/signals.hpp"
#include "partitions/unikernel/syscalls/sockets.hpp"

#include <algorithm>

namespace uk::files {

UserPath::~UserPath() {
    mm::free(long_);
}

Status UserPath::read(mm::UserAddress from) {
    const auto length = mm::copy_string(short_, from);
    if (length.ok()) {
        view_ = {short_.data(), *length};
        return base::success;
    }
    if (length.error() != Errno::nametoolong)
        return base::Failure{length.error()};
    long_ = static_cast<char*>(mm::allocate(fs::path_max));
    if (long_ == nullptr)
        return base::Failure{Errno::nomem};
    view_ = {long_, CAISSON_TRY(mm::copy_string({long_, fs::path_max}, from))};
    return base::success;
}

UserBuffers::~UserBuffers() {
    mm::free(many_);
}

void UserBuffers::set(mm::UserAddress base, std::uint64_t bytes) {
    bytes_ = std::min(bytes, most_bytes);
    few_[0] = {base.value(), bytes_};
    segments_ = {few_.data(), 1};
}

Status UserBuffers::read_vector(mm::UserAddress vector, std::uint64_t count) {
    if (count > most_segments)
        return base::Failure{Errno::inval};
    Segment* segments = few_.data();
    if (count > few_.size()) {
        many_ = static_cast<Segment*>(mm::allocate(count * sizeof(Segment)));
        if (many_ == nullptr)
            return base::Failure{Errno::nomem};
        segments = many_;
    }
    CAISSON_TRY(mm::copy_in(segments, vector, count * sizeof(Segment)));
    for (std::size_t i = 0; i < count; ++i) {
        if (segments[i].bytes > static_cast<std::uint64_t>(INT64_MAX))
            return base::Failure{Errno::inval};
        segments[i].bytes = std::min(segments[i].bytes, most_bytes - bytes_);
        bytes_ += segments[i].bytes;
    }
    segments_ = {segments, count};
    return base::success;
}

template <typename Copy>
std::uint64_t UserBuffers::each(std::uint64_t offset, std::uint64_t bytes, Copy copy) {
    if (offset < segment_start_) {
        index_ = 0;
        segment_start_ = 0;
    }
    std::uint64_t done = 0;
    while (done < bytes) {
        const Segment& segment = segments_[index_];
        const std::uint64_t within = offset + done - segment_start_;
        if (within >= segment.bytes) {
            segment_start_ += segment.bytes;
            ++index_;
            continue;
        }
        const std::uint64_t part = std::min(bytes - done, segment.bytes - within);
        std::uint64_t address = 0;
        if (__builtin_add_overflow(segment.base, within, &address))
            return done;
        const std::uint64_t copied = copy(mm::UserAddress{address}, done, part);
        done += copied;
        if (copied < part)
            return done;
    }
    return done;
}

std::uint64_t UserBuffers::put(void* self, std::uint64_t offset, std::span<const std::byte> bytes) {
    return static_cast<UserBuffers*>(self)->each(
        offset, bytes.size(), [bytes](mm::UserAddress to, std::uint64_t done, std::uint64_t part) {
            return mm::copy_out_some(to, bytes.data() + done, part);
        });
}

std::uint64_t UserBuffers::take(void* self, std::uint64_t offset, std::span<std::byte> bytes) {
    return static_cast<UserBuffers*>(self)->each(
        offset, bytes.size(), [bytes](mm::UserAddress from, std::uint64_t done, std::uint64_t part) {
            return mm::copy_in_some(bytes.data() + done, from, part);
        });
}

Result<Ref<fs::File>> usable(int descriptor) {
    auto file = table().get(descriptor);
    if (file.ok() && (*file)->is(fs::path_file))
        return base::Failure{Errno::badf};
    return file;
}

Result<Ref<fs::Node>> start_of(int directory, std::string_view path) {
    if (path.starts_with('/'))
        return context().root;
    if (directory == fs::at::working_directory)
        return context().working;
    return CAISSON_TRY(table().get(directory))->node;
}

Result<Ref<fs::Node>> find_at(int directory, mm::UserAddress path, std::uint32_t flags) {
    UserPath text;
    CAISSON_TRY(text.read(path));
    const Ref<fs::Node> start = CAISSON_TRY(start_of(directory, text.view()));
    return fs::find(context(), *start, text.view(), flags);
}

namespace {

// What never waits is moved in pieces, and between them others have their turn and interrupts are taken.
constexpr std::uint64_t piece_bytes = 256 * 1024;

bool goes_in_pieces(const fs::File& file) {
    return file.is(fs::regular_file) || file.operations->positions == fs::Positions::ignored;
}

} // namespace

SyscallResult read_whole(fs::File& file, fs::Destination& to) {
    if (file.is(net::socket_file))
        return sockets::read(file, to);
    if (!goes_in_pieces(file))
        return wait_while_again(file, [&] { return fs::read_file(file, to); });
    const std::uint64_t before = to.done();
    for (;;) {
        const bool more = to.start_piece(piece_bytes);
        const SyscallResult result = fs::read_file(file, to);
        const std::uint64_t done = to.done() - before;
        if (!result.ok())
            return done > 0 ? SyscallResult{done} : result;
        if (!more || *result < piece_bytes)
            return done;
        sched::preemption_point();
    }
}

void send_broken_pipe() {
    constexpr int broken_pipe = 13;
    signal::Information information{};
    information.number = broken_pipe;
    information.process = current_process().id;
    information.user = current_process().context.credentials.real_user;
    (void)signal::send_to_thread(current(), information);
}

SyscallResult write_whole(fs::File& file, fs::Origin& from) {
    if (file.is(net::socket_file))
        return sockets::write(file, from);
    std::uint64_t done = 0;
    for (;;) {
        const bool more_pieces = goes_in_pieces(file) && from.start_piece(piece_bytes);
        const SyscallResult result = wait_while_again(file, [&] { return fs::write_file(file, from); });
        if (!result.ok()) {
            if (result.error() == Errno::pipe)
                send_broken_pipe();
            return done > 0 ? SyscallResult{done} : result;
        }
        done += *result;
        // A blocking write to a pipe goes on until everything is in it.
        if (more_pieces && *result == piece_bytes) {
            sched::preemption_point();
            continue;
        }
        const bool more = file.is(fs::pipe_file) && !file.non_blocking() && from.left() > 0 && *result > 0;
        if (!more)
            return done;
    }
}

} // namespace uk::files
