// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/exec/allowed.cpp - see allowed.hpp.
#include "partitions/unikernel/exec/allowed.hpp"

#include "hypervisor/base/text.hpp"
#include "partitions/unikernel/base/log.hpp"
#include "partitions/unikernel/fs/operations.hpp"
#include "partitions/unikernel/mm/heap.hpp"
#include "partitions/unikernel/sched/scheduler.hpp"

#include <algorithm>
#include <span>

namespace uk::exec {

namespace {

bool limited = false;
std::uint64_t* numbers = nullptr; // of the EROFS
std::uint32_t count = 0, room = 0;

bool as_in_image(const fs::Node& file) {
    return file.lower != fs::no_lower && !file.capabilities_lost && !file.lower_opaque &&
           file.pages.count() == 0;
}

} // namespace

Status allow_only(std::uint32_t most) {
    numbers = static_cast<std::uint64_t*>(mm::allocate(std::max<std::size_t>(most, 1) * sizeof(*numbers)));
    if (numbers == nullptr)
        return base::Failure{Errno::nomem};
    limited = true;
    room = most;
    return base::success;
}

void allow(const fs::Node& file) {
    if (file.lower != fs::no_lower && count < room)
        numbers[count++] = file.lower;
}

Status may_run(const fs::Context& context, fs::Node& file) {
    const std::span<const std::uint64_t> listed{numbers, count};
    if (!limited ||
        (as_in_image(file) && std::find(listed.begin(), listed.end(), file.lower) != listed.end()))
        return base::success;
    fs::TextSink path;
    fs::describe(file, *context.root, path);
    base::Text<256> note;
    note << "exec=denied pid=" << static_cast<std::uint64_t>(current_process().id)
         << " comm=" << std::string_view{current().name.data()} << " path=" << path.view().substr(0, 160);
    audit_denial(note.view());
    return base::Failure{Errno::acces};
}

} // namespace uk::exec
