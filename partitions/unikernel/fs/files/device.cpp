// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/fs/files/device.cpp - the character devices.
#include "partitions/unikernel/fs/files/device.hpp"

#include "partitions/unikernel/base/log.hpp"

#include <algorithm>
#include <array>

namespace uk::fs {

Result<Ref<File>> open_device(Ref<Node> node, std::uint32_t flags) {
    switch (node->special_device) {
    case device::null:
    case device::zero:
    case device::full:
    case device::random:
    case device::urandom:
    case device::console:
        return make_file(std::move(node), FileKind::device, flags);
    default:
        return base::Failure{Errno::nxio};
    }
}

Result<std::uint64_t> read_device(File& file, Destination& to) {
    const std::uint64_t before = to.done();
    switch (file.node->special_device) {
    case device::zero:
    case device::full:
        CAISSON_TRY(to.put_zeros(to.left()));
        break;
    case device::random:
    case device::urandom:
        while (to.left() > 0) {
            std::array<std::byte, 256> bytes;
            const std::span part{bytes.data(), std::min<std::uint64_t>(bytes.size(), to.left())};
            seam::random(part);
            CAISSON_TRY(to.put(part));
        }
        break;
    default: // null and console: the end at once
        break;
    }
    return to.done() - before;
}

Result<std::uint64_t> write_device(File& file, Origin& from) {
    const std::uint64_t bytes = from.left();
    switch (file.node->special_device) {
    case device::full:
        return base::Failure{Errno::nospc};
    case device::console:
        return write_console(from);
    default:
        from.skip(bytes);
        return bytes;
    }
}

Result<std::uint64_t> write_console(Origin& from) {
    const std::uint64_t before = from.done();
    while (from.left() > 0) {
        std::array<std::byte, 1024> bytes; // what one console frame holds
        const std::span part{bytes.data(), std::min<std::uint64_t>(bytes.size(), from.left())};
        const Status taken = from.take(part);
        if (!taken.ok()) {
            if (from.done() > before)
                break;
            return base::Failure{taken.error()};
        }
        console_write(part);
    }
    return from.done() - before;
}

} // namespace uk::fs
