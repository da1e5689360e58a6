// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/fs/files/message_queue.hpp - POSIX message queues, mq_overview(7).
#pragma once

#include "partitions/unikernel/fs/files/file.hpp"

#include <string_view>

namespace uk::fs {

struct QueueShape {
    std::uint64_t most_messages = 10, message_bytes = 8192;
};
struct QueueWish {
    std::uint32_t flags;  // of open(2)
    std::uint32_t mode;   // of a new one, without what the umask takes
    QueueShape shape;     // of a new one
    bool shaped = false;  // the caller said which
    std::uint64_t budget; // RLIMIT_MSGQUEUE, bytes of all queues of the caller's user
};

// `node` is an anonymous one and becomes the queue's, where a new one is made. Errors: noent, exist, acces, inval, mfile (the
// budget), nospc (too many queues), nametoolong, nomem.
[[nodiscard]] Result<Ref<File>> open_message_queue(Ref<Node> node, std::string_view name,
                                                   const QueueWish& wish, const Credentials& who);
// Its name goes; it stays while it is open. Errors: noent, perm.
[[nodiscard]] Status unlink_message_queue(std::string_view name, const Credentials& who);
[[nodiscard]] bool is_message_queue(const File& file);

inline constexpr unsigned message_priorities = 32768;
// All that `from` has as one message. Errors: msgsize, again (full), nomem, fault.
[[nodiscard]] Status send_message(File& file, Origin& from, unsigned priority);
// The oldest of the highest priority. Errors: msgsize (less room than a message may need), again (empty), fault.
[[nodiscard]] Result<std::uint64_t> receive_message(File& file, Destination& to, unsigned& priority);
[[nodiscard]] QueueShape shape_of_queue(const File& file);
[[nodiscard]] std::uint64_t messages_in_queue(const File& file);

} // namespace uk::fs
