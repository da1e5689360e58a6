// SPDX-License-Identifier: Apache-2.0
// hypervisor/core/bundle/header_buffer.cpp - the first look at a bundle: magic, format and sizes, nothing
// else.
#include "hypervisor/core/bundle/header_buffer.hpp"

namespace bundle {

Status HeaderBuffer::load(const bytes::Source& file) {
    size_ = 0;
    const Header& header = storage_.header;
    if (file.size() < sizeof(header))
        return failure(Error::too_short);
    if (!file.copy(0, room().first(sizeof(header))))
        return failure(Error::unreadable);
    if (header.magic != magic)
        return failure(Error::not_a_bundle);
    if (header.format != format_version)
        return failure(Error::unsupported_format);
    if (header.header_size == 0 || header.header_size % 4096 != 0 || header.header_size > max_header_size)
        return failure(Error::bad_header_size);
    if (header.total_size != file.size() || header.total_size > max_total_size)
        return failure(Error::wrong_total_size);
    if (header.header_size > file.size())
        return failure(Error::too_short);
    // What was looked at is not read again.
    if (!file.copy(sizeof(header), room().first(header.header_size).subspan(sizeof(header))))
        return failure(Error::unreadable);
    size_ = header.header_size;
    return base::success;
}

} // namespace bundle
