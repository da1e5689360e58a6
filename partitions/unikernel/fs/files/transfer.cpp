// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/fs/files/transfer.cpp - progress of a copy.
#include "partitions/unikernel/fs/files/transfer.hpp"

#include "hypervisor/base/fail.hpp"

#include <algorithm>

namespace uk::fs {

// Nobody writes to it. Not constant, and seen from outside, so that the image does not hold its zeros.
extern std::byte zero_page[page_bytes];
std::byte zero_page[page_bytes]{};

Status Destination::put(std::span<const std::byte> bytes) {
    base::expects(bytes.size() <= left(), "Destination: more bytes than wanted");
    if (bytes.empty())
        return base::success;
    const std::uint64_t arrived = put_(context_, done_, bytes);
    done_ += arrived;
    if (arrived < bytes.size())
        return base::Failure{Errno::fault};
    return base::success;
}

Status Destination::put_zeros(std::uint64_t bytes) {
    while (bytes > 0) {
        const std::uint64_t part = std::min<std::uint64_t>(bytes, page_bytes);
        CAISSON_TRY(put({zero_page, part}));
        bytes -= part;
    }
    return base::success;
}

Status Origin::take(std::span<std::byte> bytes) {
    base::expects(bytes.size() <= left(), "Origin: more bytes than there are");
    if (bytes.empty())
        return base::success;
    const std::uint64_t came = take_(context_, done_, bytes);
    done_ += came;
    if (came < bytes.size())
        return base::Failure{Errno::fault};
    return base::success;
}

} // namespace uk::fs
