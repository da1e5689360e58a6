// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/fs/proc/synthetic_file.cpp - open files of /proc and /sys.
#include "partitions/unikernel/fs/files/file.hpp"
#include "partitions/unikernel/fs/proc/synthetic.hpp"

#include <algorithm>

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

} // namespace

const FileOperations synthetic_file{.read = read_synthetic, .positions = Positions::kept};

} // namespace uk::fs
