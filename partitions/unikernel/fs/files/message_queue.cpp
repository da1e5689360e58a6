// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/fs/files/message_queue.cpp - see message_queue.hpp.
//
// Queues are a list by name; one lives while it has its name or is open. Messages are a list by priority, the oldest first.
#include "partitions/unikernel/fs/files/message_queue.hpp"

#include "partitions/unikernel/mm/heap.hpp"

#include <utility>

namespace uk::fs {

namespace {

constexpr std::uint32_t in_events = ready::in | ready::in_normal, out_events = ready::out | ready::out_normal;
constexpr std::uint64_t most_queues = 256, overhead = 96; // of a message, as Linux counts it
constexpr QueueShape largest{}, largest_with_right{65536, 16 << 20};

struct Message {
    Message* next = nullptr;
    std::uint64_t bytes = 0; // stored behind it
    unsigned priority = 0;
    [[nodiscard]] std::span<std::byte> data() { return {reinterpret_cast<std::byte*>(this + 1), bytes}; }
};

struct Queue {
    Queue* next = nullptr; // of those with a name
    Ref<Node> node;        // owner, permissions, "/name"
    QueueShape shape;
    Message* first = nullptr;
    std::uint64_t count = 0;
    std::uint32_t opened = 0, maker = 0;
    bool named = true;
    WaitQueue changed;
    [[nodiscard]] std::uint64_t cost() const {
        return shape.most_messages * (shape.message_bytes + overhead);
    }
};

Queue* queues = nullptr;

Queue** find(std::string_view name) {
    Queue** link = &queues;
    while (*link != nullptr && (*link)->node->target.substr(1) != name)
        link = &(*link)->next;
    return link;
}

void end_if_unused(Queue& queue) {
    if (queue.named || queue.opened > 0)
        return;
    while (Message* message = queue.first) {
        queue.first = message->next;
        mm::free(message);
    }
    mm::destroy(&queue);
}

Queue& queue_of(const File& file) {
    return *static_cast<Queue*>(file.state);
}

std::uint32_t readiness_of(File& file) {
    const Queue& queue = queue_of(file);
    return (queue.count > 0 ? in_events : 0) | (queue.count < queue.shape.most_messages ? out_events : 0);
}

WaitQueue& changes_of(File& file) {
    return queue_of(file).changed;
}

// As a file it says how full it is.
Result<std::uint64_t> read(File& file, std::uint64_t offset, Destination& to) {
    TextSink text;
    std::uint64_t bytes = 0;
    for (Message* message = queue_of(file).first; message != nullptr; message = message->next)
        bytes += message->bytes;
    text << "QSIZE:" << bytes;
    for (std::uint64_t rest = bytes, width = 10; width > 1; --width, rest /= 10)
        if (rest < 10)
            text << ' ';
    text << " NOTIFY:0     SIGNO:0     NOTIFY_PID:0     \n";
    if (!text.complete())
        return base::Failure{Errno::nomem};
    const std::string_view rest = text.view().substr(std::min<std::uint64_t>(offset, text.view().size()));
    const std::uint64_t part = std::min<std::uint64_t>(rest.size(), to.left());
    CAISSON_TRY(to.put(std::as_bytes(std::span{rest}).first(part)));
    return part;
}

void end(File& file) {
    Queue& queue = queue_of(file);
    --queue.opened;
    end_if_unused(queue);
}

const FileOperations message_queue_file{.read = read,
                                        .readiness = readiness_of,
                                        .wait = changes_of,
                                        .release = end,
                                        .positions = Positions::kept};

Status check_shape(const QueueWish& wish, const Credentials& who) {
    const QueueShape most = who.can(capability::resources) ? largest_with_right : largest;
    const QueueShape& shape = wish.shape;
    if (wish.shaped && (shape.most_messages == 0 || shape.message_bytes == 0 ||
                        shape.most_messages > most.most_messages || shape.message_bytes > most.message_bytes))
        return base::Failure{Errno::inval};
    return base::success;
}

Result<Queue*> make_queue(Ref<Node> node, std::string_view name, const QueueWish& wish,
                          const Credentials& who) {
    CAISSON_TRY(check_shape(wish, who));
    mm::Owned<Queue> queue{mm::make<Queue>()};
    if (queue == nullptr)
        return base::Failure{Errno::nomem};
    queue->shape = wish.shape;
    queue->maker = who.real_user;
    std::uint64_t used = queue->cost(), count = 0;
    for (const Queue* other = queues; other != nullptr; other = other->next, ++count)
        used += other->maker == who.real_user ? other->cost() : 0;
    if (count >= most_queues && !who.can(capability::resources))
        return base::Failure{Errno::nospc};
    if (used > wish.budget)
        return base::Failure{Errno::mfile};
    TextSink shown;
    shown << '/' << name;
    CAISSON_TRY(set_generated_target(*node, shown));
    node->mode = mode::regular | (wish.mode & 0777);
    node->user = who.file_user;
    node->group = who.file_group;
    node->size = 80; // as Linux says
    queue->node = std::move(node);
    queue->next = std::exchange(queues, queue.get());
    return queue.release();
}

unsigned wants(std::uint32_t flags) {
    const std::uint32_t access = flags & open_flag::access_mask;
    return (access != open_flag::write_only ? want::read : 0) |
           (access != open_flag::read_only ? want::write : 0);
}

} // namespace

Result<Ref<File>> open_message_queue(Ref<Node> node, std::string_view name, const QueueWish& wish,
                                     const Credentials& who) {
    if (name.empty())
        return base::Failure{Errno::noent};
    if (name.find('/') != std::string_view::npos || name == "." || name == "..")
        return base::Failure{Errno::acces};
    if (name.size() > name_max)
        return base::Failure{Errno::nametoolong};
    if ((wish.flags & open_flag::access_mask) == open_flag::access_mask)
        return base::Failure{Errno::inval};
    Queue* queue = *find(name);
    const bool is_new = queue == nullptr;
    if (is_new && (wish.flags & open_flag::create) == 0)
        return base::Failure{Errno::noent};
    if (!is_new && (wish.flags & open_flag::create) != 0 && (wish.flags & open_flag::exclusive) != 0)
        return base::Failure{Errno::exist};
    if (!is_new && !permits(*queue->node, who, wants(wish.flags)))
        return base::Failure{Errno::acces};
    if (is_new)
        queue = CAISSON_TRY(make_queue(std::move(node), name, wish, who));
    auto file = make_file(queue->node, message_queue_file,
                          wish.flags & (open_flag::access_mask | open_flag::non_block));
    if (file.ok()) {
        (*file)->state = queue;
        ++queue->opened;
    } else if (is_new) {
        queues = queue->next;
        queue->named = false;
        end_if_unused(*queue);
    }
    return file;
}

Status unlink_message_queue(std::string_view name, const Credentials& who) {
    Queue** link = find(name);
    Queue* queue = *link;
    if (queue == nullptr)
        return base::Failure{Errno::noent};
    if (queue->node->user != who.file_user && !who.can(capability::file_owner))
        return base::Failure{Errno::perm};
    *link = queue->next;
    queue->named = false;
    queue->node->links = 0;
    end_if_unused(*queue);
    return base::success;
}

bool is_message_queue(const File& file) {
    return file.is(message_queue_file);
}

Status send_message(File& file, Origin& from, unsigned priority) {
    Queue& queue = queue_of(file);
    if (from.left() > queue.shape.message_bytes)
        return base::Failure{Errno::msgsize};
    if (queue.count == queue.shape.most_messages)
        return base::Failure{Errno::again};
    void* memory = mm::allocate(sizeof(Message) + from.left());
    if (memory == nullptr)
        return base::Failure{Errno::nomem};
    auto* message = std::construct_at(static_cast<Message*>(memory));
    message->bytes = from.left();
    message->priority = priority;
    if (const Status taken = from.take(message->data()); !taken.ok()) {
        mm::free(message);
        return taken;
    }
    Message** link = &queue.first;
    while (*link != nullptr && (*link)->priority >= priority)
        link = &(*link)->next;
    message->next = std::exchange(*link, message);
    ++queue.count;
    queue.changed.wake(in_events);
    return base::success;
}

Result<std::uint64_t> receive_message(File& file, Destination& to, unsigned& priority) {
    Queue& queue = queue_of(file);
    if (to.left() < queue.shape.message_bytes)
        return base::Failure{Errno::msgsize};
    Message* message = queue.first;
    if (message == nullptr)
        return base::Failure{Errno::again};
    queue.first = message->next; // gone even if it cannot be stored, as on Linux
    --queue.count;
    queue.changed.wake(out_events);
    const Status put = to.put(message->data());
    const std::uint64_t bytes = message->bytes;
    priority = message->priority;
    mm::free(message);
    CAISSON_TRY(put);
    return bytes;
}

QueueShape shape_of_queue(const File& file) {
    return queue_of(file).shape;
}

std::uint64_t messages_in_queue(const File& file) {
    return queue_of(file).count;
}

} // namespace uk::fs
