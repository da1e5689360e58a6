// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/fs/files/inotify.cpp - see inotify.hpp.
#include "partitions/unikernel/fs/files/inotify.hpp"

#include "partitions/unikernel/fs/overlay/volume.hpp"
#include "partitions/unikernel/mm/heap.hpp"

#include <cstring>

namespace uk::fs {

namespace {

constexpr std::uint32_t in_events = ready::in | ready::in_normal;
constexpr unsigned most_events = 16'384,
                   most_watches = 8192; // fs.inotify.max_queued_events, max_user_watches
// What a watch is told without asking.
constexpr std::uint32_t unasked = notice::overflow | notice::ignored;

struct UserNotice { // struct inotify_event
    std::int32_t watch;
    std::uint32_t what, cookie, name_bytes;
};
static_assert(sizeof(UserNotice) == 16);

struct Notice {
    Notice* next = nullptr;
    UserNotice record{};
    std::uint16_t length = 0; // of the name, stored behind

    [[nodiscard]] std::string_view name() const { return {reinterpret_cast<const char*>(this + 1), length}; }
    [[nodiscard]] std::uint64_t bytes() const { return sizeof(record) + record.name_bytes; }
};

} // namespace

struct Inotify {
    NodeWatch* watches = nullptr;
    Notice* first = nullptr;
    Notice* last = nullptr;
    unsigned queued = 0;
    int next_number = 1;
    WaitQueue changed;
};

struct NodeWatch {
    Inotify* owner = nullptr;
    Node* node = nullptr;
    Ref<Node> hold; // while the node has a name
    int number = 0;
    std::uint32_t mask = 0;
    NodeWatch* next_of_node = nullptr;
    NodeWatch* next_of_owner = nullptr;
};

unsigned told::watches = 0;

namespace {

Inotify& inotify_of(const File& file) {
    return *static_cast<Inotify*>(file.state);
}

// Names are padded with NULs to a multiple of the record.
std::uint32_t padded(std::string_view name) {
    return name.empty() ? 0 : static_cast<std::uint32_t>((name.size() + sizeof(UserNotice)) / 16 * 16);
}

void append(Inotify& to, Notice& notice) {
    (to.last != nullptr ? to.last->next : to.first) = &notice;
    to.last = &notice;
    ++to.queued;
    to.changed.wake(in_events);
}

void enqueue(Inotify& to, const UserNotice& record, std::string_view name) {
    if (to.last != nullptr && to.last->record.watch == record.watch && to.last->record.what == record.what &&
        to.last->record.cookie == record.cookie && to.last->name() == name)
        return; // said already
    void* memory = to.queued < most_events ? mm::allocate(sizeof(Notice) + name.size()) : nullptr;
    if (memory == nullptr) {
        if (to.last != nullptr && to.last->record.what == notice::overflow)
            return;
        memory = mm::allocate(sizeof(Notice));
        if (memory == nullptr)
            return;
        auto* lost = std::construct_at(static_cast<Notice*>(memory));
        lost->record = {-1, notice::overflow, 0, 0};
        return append(to, *lost);
    }
    auto* notice = std::construct_at(static_cast<Notice*>(memory));
    notice->record = record;
    notice->record.name_bytes = padded(name);
    notice->length = static_cast<std::uint16_t>(name.size());
    if (!name.empty())
        std::memcpy(static_cast<std::byte*>(memory) + sizeof(Notice), name.data(), name.size());
    append(to, *notice);
}

void end_watch(NodeWatch& watch) {
    NodeWatch** link = &watch.node->watches;
    while (*link != &watch)
        link = &(*link)->next_of_node;
    *link = watch.next_of_node;
    link = &watch.owner->watches;
    while (*link != &watch)
        link = &(*link)->next_of_owner;
    *link = watch.next_of_owner;
    --told::watches;
    mm::destroy(&watch);
}

void deliver(NodeWatch& watch, std::uint32_t what, std::uint32_t cookie, std::string_view name) {
    if ((watch.mask & what & notice::all) == 0 && (what & unasked) == 0)
        return;
    enqueue(*watch.owner, {watch.number, what, cookie, 0}, name);
    if ((what & notice::ignored) == 0 && (watch.mask & notice::one_shot) != 0) {
        enqueue(*watch.owner, {watch.number, notice::ignored, 0, 0}, {});
        end_watch(watch);
    }
}

// To each who watches it now.
void deliver_to_all(Node& node, std::uint32_t what, std::uint32_t cookie, std::string_view name,
                    std::uint32_t not_to = 0) {
    for (NodeWatch* watch = node.watches; watch != nullptr;) {
        NodeWatch* const next = watch->next_of_node;
        if ((watch->mask & not_to) == 0)
            deliver(*watch, what, cookie, name);
        watch = next;
    }
}

std::uint32_t mark_directory(const Node& node) {
    return node.is_directory() ? notice::is_directory : 0;
}

Result<std::uint64_t> read_notices(File& file, std::uint64_t, Destination& to) {
    Inotify& from = inotify_of(file);
    if (from.first == nullptr)
        return base::Failure{Errno::again};
    std::uint64_t done = 0;
    while (from.first != nullptr && from.first->bytes() <= to.left()) {
        Notice& notice = *from.first;
        const std::uint64_t whole = to.done();
        Status put = to.put(std::as_bytes(std::span{&notice.record, 1}));
        if (put.ok())
            put = to.put(std::as_bytes(std::span{notice.name()}));
        if (put.ok())
            put = to.put_zeros(notice.record.name_bytes - notice.length);
        if (!put.ok()) {
            to.back_to(whole);
            return done > 0 ? Result<std::uint64_t>{done} : base::Failure{put.error()};
        }
        done += notice.bytes();
        from.first = notice.next;
        if (from.first == nullptr)
            from.last = nullptr;
        --from.queued;
        mm::destroy(&notice);
    }
    if (done == 0)
        return base::Failure{Errno::inval}; // no room for the first
    return done;
}

std::uint32_t readiness_of(File& file) {
    return inotify_of(file).first != nullptr ? in_events : 0;
}

WaitQueue& queue_of(File& file) {
    return inotify_of(file).changed;
}

Result<std::uint64_t> control_inotify(File& file, std::uint32_t request, std::uint64_t) {
    if (request != control::bytes_waiting)
        return base::Failure{Errno::notty};
    std::uint64_t bytes = 0;
    for (const Notice* notice = inotify_of(file).first; notice != nullptr; notice = notice->next)
        bytes += notice->bytes();
    return bytes;
}

void release_inotify(File& file) {
    Inotify& inotify = inotify_of(file);
    while (inotify.watches != nullptr)
        end_watch(*inotify.watches);
    while (inotify.first != nullptr) {
        Notice* notice = inotify.first;
        inotify.first = notice->next;
        mm::destroy(notice);
    }
    mm::destroy(&inotify);
}

const FileOperations inotify_file{.read = read_notices,
                                  .readiness = readiness_of,
                                  .wait = queue_of,
                                  .control = control_inotify,
                                  .release = release_inotify,
                                  .positions = Positions::zero,
                                  .tells = true};

} // namespace

Result<Ref<File>> make_inotify(Ref<Node> node, std::uint32_t flags) {
    node->target = "anon_inode:inotify";
    auto* inotify = mm::make<Inotify>();
    if (inotify == nullptr)
        return base::Failure{Errno::nomem};
    auto file = make_file(std::move(node), inotify_file, flags | open_flag::read_only);
    if (file.ok())
        (*file)->state = inotify;
    else
        mm::destroy(inotify);
    return file;
}

bool is_inotify(const File& file) {
    return file.is(inotify_file);
}

Result<int> add_watch(File& file, Node& node, std::uint32_t mask) {
    Inotify& inotify = inotify_of(file);
    if ((mask & notice::all) == 0 ||
        (mask & (notice::mask_add | notice::mask_create)) == (notice::mask_add | notice::mask_create))
        return base::Failure{Errno::inval};
    const std::uint32_t kept = mask & (notice::all | notice::one_shot | notice::exclude_unlinked);
    for (NodeWatch* watch = node.watches; watch != nullptr; watch = watch->next_of_node) {
        if (watch->owner != &inotify)
            continue;
        if ((mask & notice::mask_create) != 0)
            return base::Failure{Errno::exist};
        watch->mask = (mask & notice::mask_add) != 0 ? watch->mask | kept : kept;
        return watch->number;
    }
    if (told::watches >= most_watches)
        return base::Failure{Errno::nospc};
    auto* watch = mm::make<NodeWatch>();
    if (watch == nullptr)
        return base::Failure{Errno::nomem};
    watch->owner = &inotify;
    watch->node = &node;
    if (node.links > 0)
        watch->hold = Ref<Node>{&node};
    watch->number = inotify.next_number++;
    watch->mask = kept;
    watch->next_of_node = node.watches;
    node.watches = watch;
    watch->next_of_owner = inotify.watches;
    inotify.watches = watch;
    ++told::watches;
    return watch->number;
}

Status remove_watch(File& file, int number) {
    for (NodeWatch* watch = inotify_of(file).watches; watch != nullptr; watch = watch->next_of_owner)
        if (watch->number == number) {
            enqueue(*watch->owner, {number, notice::ignored, 0, 0}, {});
            end_watch(*watch);
            return base::success;
        }
    return base::Failure{Errno::inval};
}

void told::happened(Node& node, std::uint32_t what) {
    if (Node* directory = node.parent; directory != nullptr && directory->watches != nullptr) {
        // Without a name it is told of by its last one, but to those who said otherwise.
        const bool named = node.links > 0;
        const std::string_view name = named ? directory->volume->name_of(*directory, node) : node.target;
        if (!name.empty())
            deliver_to_all(*directory, what | mark_directory(node), 0, name,
                           named ? 0 : notice::exclude_unlinked);
    }
    itself(node, what);
}

void told::itself(Node& node, std::uint32_t what) {
    deliver_to_all(node, what | mark_directory(node), 0, {});
}

void told::named(Node& directory, std::string_view name, const Node& node, std::uint32_t what,
                 std::uint32_t cookie) {
    deliver_to_all(directory, what | mark_directory(node), cookie, name);
}

void told::nameless(Node& node) {
    const Ref<Node> last{&node};
    for (NodeWatch* watch = node.watches; watch != nullptr; watch = watch->next_of_node)
        watch->hold = {};
}

void told::gone(Node& node) {
    deliver_to_all(node, notice::remove_self, 0, {});
    while (node.watches != nullptr) {
        enqueue(*node.watches->owner, {node.watches->number, notice::ignored, 0, 0}, {});
        end_watch(*node.watches);
    }
}

std::uint32_t next_cookie() {
    static std::uint32_t cookie = 0;
    return ++cookie;
}

} // namespace uk::fs
