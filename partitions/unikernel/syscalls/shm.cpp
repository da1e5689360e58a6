// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/syscalls/shm.cpp - System V shared memory: shmget, shmat, shmdt, shmctl.
//
// A segment is a node without a name; who has attached it is who maps that node. One that was removed stays, under its number,
// while somebody does.
#include "partitions/unikernel/fs/tree.hpp"
#include "partitions/unikernel/mm/address_space.hpp"
#include "partitions/unikernel/process/ipc.hpp"
#include "partitions/unikernel/sched/held_space.hpp"
#include "partitions/unikernel/syscalls/syscalls.hpp"
#include "partitions/unikernel/task/process.hpp"

namespace uk {

namespace {

struct Segment : ipc::Object {
    Ref<fs::Node> node;
    std::uint64_t bytes = 0; // as asked for
    int creator = 0, last = 0;
    std::int64_t attached = 0, detached = 0;
};

struct SegmentState { // struct shmid64_ds
    ipc::Permissions permissions;
    std::uint64_t bytes;
    std::int64_t attached, detached, changed;
    std::int32_t creator, last;
    std::uint64_t uses;
    std::array<std::uint64_t, 2> unused;
};
static_assert(sizeof(SegmentState) == 112);

constexpr std::uint32_t removed_mode = 01000; // SHM_DEST

ipc::Table segments;

std::uint64_t uses_of(const Segment& segment) {
    std::uint64_t uses = 0;
    for (const mm::Vma* vma = segment.node->mappings.first(); vma != nullptr; vma = vma->next_of_node)
        ++uses;
    return uses;
}

// Those that were removed and that nobody has attached any more go.
void sweep() {
    for (ipc::Object *object = segments.first(), *next = nullptr; object != nullptr; object = next) {
        next = object->next;
        auto* segment = static_cast<Segment*>(object);
        if ((segment->permissions.mode & removed_mode) == 0 || uses_of(*segment) != 0)
            continue;
        segments.remove(*segment);
        mm::destroy(segment);
    }
}

Result<Segment*> find_segment(int id) {
    sweep();
    return static_cast<Segment*>(CAISSON_TRY(segments.find(id)));
}

Result<int> make_segment(int key, std::uint64_t bytes, std::uint32_t flags) {
    const auto whole = base::round_up(bytes, base::page_size);
    if (bytes == 0 || !whole)
        return base::Failure{Errno::inval};
    mm::Owned<Segment> segment{mm::make<Segment>()};
    if (segment == nullptr)
        return base::Failure{Errno::nomem};
    segment->node = CAISSON_TRY(fs::Tree::current().make_anonymous(fs::mode::regular | (flags & 0777)));
    fs::TextSink name;
    constexpr std::string_view digits = "0123456789abcdef";
    name << "/SYSV";
    for (int shift = 28; shift >= 0; shift -= 4)
        name << digits[static_cast<std::uint32_t>(key) >> shift & 0xF];
    name << " (deleted)";
    CAISSON_TRY(fs::set_generated_target(*segment->node, name));
    segment->node->size = *whole;
    segment->bytes = bytes;
    segment->creator = current_process().id;
    const int id = CAISSON_TRY(segments.add(*segment, key, flags));
    (void)segment.release();
    return id;
}

SegmentState state_of(const Segment& segment) {
    SegmentState state{};
    state.permissions = segment.permissions;
    state.bytes = segment.bytes;
    state.attached = segment.attached;
    state.detached = segment.detached;
    state.changed = segment.changed;
    state.creator = segment.creator;
    state.last = segment.last;
    state.uses = uses_of(segment);
    return state;
}

} // namespace

void ipc::sweep_segments() {
    sweep();
}

SyscallResult sys_shmget(const Arguments& arguments) {
    const int key = arguments.integer(0);
    const std::uint32_t flags = arguments.word(2);
    sweep();
    const auto* found = static_cast<Segment*>(CAISSON_TRY(segments.find_key(key, flags)));
    if (found != nullptr && arguments[1] > found->bytes)
        return base::Failure{Errno::inval};
    return static_cast<std::uint64_t>(found != nullptr ? found->id
                                                       : CAISSON_TRY(make_segment(key, arguments[1], flags)));
}

SyscallResult sys_shmat(const Arguments& arguments) {
    constexpr std::uint32_t read_only = 010000, round = 020000, replace = 040000, execute = 0100000;
    const std::uint32_t flags = arguments.word(2);
    const sched::HeldSpace space{
        *current_process().space}; // which may wait: the segment is looked up after it
    Segment& segment = *CAISSON_TRY(find_segment(arguments.integer(0)));
    mm::MapRequest request;
    request.address = arguments[1];
    if (request.address % base::page_size != 0 && (flags & round) != 0)
        request.address = base::round_down(request.address, base::page_size);
    if (request.address % base::page_size != 0 || (request.address == 0 && (flags & replace) != 0))
        return base::Failure{Errno::inval};
    const bool writes = (flags & read_only) == 0, executes = (flags & execute) != 0;
    CAISSON_TRY(segment.permit(0400u | (writes ? 0200 : 0) | (executes ? 0100 : 0)));
    request.bytes = segment.node->size;
    request.fixed = request.address != 0;
    request.no_replace = request.fixed && (flags & replace) == 0;
    request.protection =
        static_cast<std::uint8_t>(mm::protection::read | (writes ? mm::protection::write : 0) |
                                  (executes ? mm::protection::execute : 0));
    request.shared = true;
    request.shared_writable = writes;
    request.node = segment.node.get();
    Process& process = current_process();
    space->limits = memory_limits(process);
    const auto start = space->map(request, &sched::preemption_point);
    if (!start.ok())
        return base::Failure{start.error() == Errno::exist ? Errno::inval : start.error()};
    segment.attached = ipc::now();
    segment.last = process.id;
    return *start;
}

// All parts of the segment that was attached at that address, wherever holes were made in it since.
SyscallResult sys_shmdt(const Arguments& arguments) {
    const std::uint64_t start = arguments[0];
    const sched::HeldSpace space{*current_process().space};
    Ref<fs::Node> node; // the segment's, which may go with its last user while the pages are unmapped
    int id = 0;
    std::uint64_t end = start;
    for (const mm::Vma* vma = space->ranges().first_at_or_after(start);
         vma != nullptr && start % base::page_size == 0;) {
        if (node && vma->start >= end)
            break;
        for (ipc::Object* object = node ? nullptr : segments.first(); object != nullptr;
             object = object->next)
            if (const auto* one = static_cast<const Segment*>(object);
                one->node.get() == vma->node && vma->start >= start && vma->start - start == vma->offset) {
                node = one->node;
                id = one->id;
            }
        const std::uint64_t stop = vma->end;
        if (node && vma->node == node.get() && vma->start - start == vma->offset) {
            end = start + node->size;
            CAISSON_TRY(space->unmap(vma->start, vma->bytes(), &sched::preemption_point));
        }
        vma = space->ranges().first_at_or_after(stop);
    }
    if (!node)
        return base::Failure{Errno::inval};
    node = {};
    if (const auto segment = find_segment(id); segment.ok()) {
        (*segment)->detached = ipc::now();
        (*segment)->last = current_process().id;
    }
    sweep();
    return 0;
}

SyscallResult sys_shmctl(const Arguments& arguments) {
    constexpr int lock = 11, unlock = 12;
    Segment& segment = *CAISSON_TRY(find_segment(arguments.integer(0)));
    switch (arguments.integer(1)) {
    case ipc::command::stat:
        CAISSON_TRY(segment.permit(0400));
        CAISSON_TRY(mm::write_user(arguments.pointer(2), state_of(segment)));
        return 0;
    case ipc::command::set: {
        const auto given = CAISSON_TRY(mm::read_user<SegmentState>(arguments.pointer(2)));
        CAISSON_TRY(segment.may_control());
        segment.set_permissions(given.permissions);
        return 0;
    }
    case ipc::command::remove:
        CAISSON_TRY(segment.may_control());
        segment.permissions.mode |= removed_mode;
        segment.permissions.key = ipc::private_key;
        sweep();
        return 0;
    case lock: // nothing is ever swapped out
    case unlock:
        return 0;
    default:
        return base::Failure{Errno::inval};
    }
}

} // namespace uk
