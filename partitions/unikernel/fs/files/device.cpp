// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/fs/files/device.cpp - the character devices.
#include "partitions/unikernel/fs/files/device.hpp"

#include "partitions/unikernel/base/log.hpp"
#include "partitions/unikernel/fs/files/pty.hpp"
#include "partitions/unikernel/fs/overlay/volume.hpp"

#include <algorithm>
#include <array>

namespace uk::fs {

namespace {

Result<std::uint64_t> read_device(File& file, std::uint64_t, Destination& to);
Result<std::uint64_t> write_device(File& file, std::uint64_t, Origin& from);
Result<std::uint64_t> write_console(File&, std::uint64_t, Origin& from);

Result<bool> map_device(const File& file, bool, bool) {
    if (file.node->special_device != device::zero)
        return base::Failure{Errno::nodev};
    return true;
}

std::uint32_t console_readiness(File& file) {
    return file.writable ? ready::out | ready::out_normal : 0;
}

const FileOperations device_file{
    .read = read_device, .write = write_device, .map = map_device, .positions = Positions::ignored};

} // namespace

const FileOperations console_file{.write = write_console, .readiness = console_readiness};

Result<Ref<File>> open_device(Ref<Node> node, std::uint32_t flags) {
    switch (node->special_device) {
    case device::null:
    case device::zero:
    case device::full:
    case device::random:
    case device::urandom:
    case device::console:
        return make_file(std::move(node), device_file, flags & ~open_flag::no_controlling_tty);
    case device::tty:
        return open_controlling(flags & ~open_flag::no_controlling_tty);
    case device::terminal_maker:
        return open_master(std::move(node), flags & ~open_flag::no_controlling_tty);
    default:
        if (device_major(node->special_device) == terminal_major &&
            node->volume->kind() == VolumeKind::terminals)
            return open_slave(std::move(node), flags);
        return base::Failure{Errno::nxio};
    }
}

namespace {

Result<std::uint64_t> read_device(File& file, std::uint64_t, Destination& to) {
    const std::uint64_t before = to.done();
    Status copied = base::success;
    switch (file.node->special_device) {
    case device::zero:
    case device::full:
        copied = to.put_zeros(to.left());
        break;
    case device::random:
    case device::urandom:
        while (copied.ok() && to.left() > 0) {
            std::array<std::byte, 256> bytes;
            const std::span part{bytes.data(), std::min<std::uint64_t>(bytes.size(), to.left())};
            seam::random(part);
            copied = to.put(part);
        }
        break;
    default: // null and console: the end at once
        break;
    }
    if (!copied.ok() && to.done() == before)
        return base::Failure{copied.error()};
    return to.done() - before;
}

Result<std::uint64_t> write_device(File& file, std::uint64_t offset, Origin& from) {
    const std::uint64_t bytes = from.left();
    switch (file.node->special_device) {
    case device::full:
        return base::Failure{Errno::nospc};
    case device::console:
        return write_console(file, offset, from);
    default:
        from.skip(bytes);
        return bytes;
    }
}

// To the stream that the file is, as standard output or standard error; /dev/console is the former.
Result<std::uint64_t> write_console(File& file, std::uint64_t, Origin& from) {
    const unsigned stream = file.node->console != 0 ? file.node->console : 1;
    const std::uint64_t before = from.done();
    while (from.left() > 0) {
        std::array<std::byte, 1024> bytes; // what one console frame holds
        const std::span part{bytes.data(), std::min<std::uint64_t>(bytes.size(), from.left())};
        const std::uint64_t start = from.done();
        const Status taken = from.take(part);
        console_write(part.first(from.done() - start), stream);
        if (!taken.ok() && from.done() == before)
            return base::Failure{taken.error()};
        if (!taken.ok())
            break;
    }
    return from.done() - before;
}

} // namespace

} // namespace uk::fs
