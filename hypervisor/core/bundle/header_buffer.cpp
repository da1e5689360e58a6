// SPDX-License-Identifier: Apache-2.0
// hypervisor/core/bundle/header_buffer.cpp - the first look at a bundle: magic, format and sizes, nothing
// else.
#include "hypervisor/core/bundle/header_buffer.hpp"

namespace bundle {

Status HeaderBuffer::load(const bytes::Source& file) {
    size_ = 0;
    if (file.size() < sections_offset)
        return failure(Error::too_short);
    const auto header = file.load<Header>(0);
    if (!header)
        return failure(Error::unreadable);
    if (header->magic != magic)
        return failure(Error::not_a_bundle);
    if (header->format != format_version)
        return failure(Error::unsupported_format);
    if (header->header_size == 0 || header->header_size % 4096 != 0 || header->header_size > max_header_size)
        return failure(Error::bad_header_size);
    if (header->total_size != file.size() || header->total_size > max_total_size)
        return failure(Error::wrong_total_size);
    if (header->header_size > file.size())
        return failure(Error::too_short);
    // Copied again as a whole: what was looked at above is looked at once more, in the copy, after the
    // signature.
    if (!file.copy(0, std::span{storage_}.subspan(header_offset, header->header_size)))
        return failure(Error::unreadable);
    size_ = header->header_size;
    return base::success;
}

} // namespace bundle
