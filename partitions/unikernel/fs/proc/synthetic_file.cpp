// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/fs/proc/synthetic_file.cpp - open files of /proc and /sys: texts, what is written to some, and memory.
#include "partitions/unikernel/fs/files/file.hpp"
#include "partitions/unikernel/fs/proc/synthetic.hpp"

#include <algorithm>
#include <array>

namespace uk::fs {

namespace {

// The text is made when reading begins, so that one pass sees one state.
Result<std::uint64_t> read_synthetic(File& file, std::uint64_t offset, Destination& to) {
    if (offset == 0) {
        TextSink fresh;
        CAISSON_TRY(synthetic_text(*file.node, fresh));
        if (!fresh.complete())
            return base::Failure{Errno::nomem};
        file.text = std::move(fresh);
    }
    const std::string_view text = file.text.view();
    if (offset >= text.size())
        return std::uint64_t{0};
    const std::uint64_t bytes = std::min(to.left(), text.size() - offset);
    CAISSON_TRY(to.put(std::as_bytes(std::span{text.data() + offset, bytes})));
    return bytes;
}

// What such a file takes is short, and comes whole.
Result<std::uint64_t> write_synthetic(File& file, std::uint64_t, Origin& from) {
    std::array<char, 128> text;
    const std::uint64_t bytes = from.left();
    if (bytes >= text.size())
        return base::Failure{Errno::inval};
    CAISSON_TRY(from.take(std::as_writable_bytes(std::span{text}.first(bytes))));
    CAISSON_TRY(synthetic_write(*file.node, {text.data(), bytes}));
    return bytes;
}

// /proc/PID/mem: an offset is an address.
constexpr std::size_t piece_bytes = 512;

Result<std::uint64_t> read_process_memory(File& file, std::uint64_t address, Destination& to) {
    std::array<std::byte, piece_bytes> bytes;
    const std::uint64_t before = to.done();
    while (to.left() > 0) {
        const auto part = std::span{bytes}.first(std::min<std::uint64_t>(to.left(), bytes.size()));
        const std::size_t got = seam::read_memory_of(file.node->synthetic.process, address, part);
        CAISSON_TRY(to.put(part.first(got)));
        address += got;
        if (got < part.size())
            break;
    }
    if (to.done() == before && to.left() > 0)
        return base::Failure{Errno::io};
    return to.done() - before;
}

Result<std::uint64_t> write_process_memory(File& file, std::uint64_t address, Origin& from) {
    std::array<std::byte, piece_bytes> bytes;
    std::uint64_t done = 0;
    while (from.left() > 0) {
        const auto part = std::span{bytes}.first(std::min<std::uint64_t>(from.left(), bytes.size()));
        CAISSON_TRY(from.take(part));
        const std::size_t put = seam::write_memory_of(file.node->synthetic.process, address, part);
        address += put;
        done += put;
        if (put < part.size())
            return done > 0 ? Result<std::uint64_t>{done} : base::Failure{Errno::io};
    }
    return done;
}

} // namespace

const FileOperations synthetic_file{
    .read = read_synthetic, .write = write_synthetic, .positions = Positions::kept};
const FileOperations memory_file{
    .read = read_process_memory, .write = write_process_memory, .positions = Positions::kept};

} // namespace uk::fs
