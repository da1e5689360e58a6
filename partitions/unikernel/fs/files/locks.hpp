// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/fs/files/locks.hpp - advisory locks of a file: fcntl(2) ranges owned by processes, flock(2)
// owned by open file descriptions. The two kinds do not see each other, as on Linux.
#pragma once

#include "partitions/unikernel/fs/seam.hpp"

namespace uk::fs {

class FileTable;
struct File;
struct Node;

struct RangeLock {
    std::uint64_t first = 0;
    std::uint64_t last = 0; // inclusive; ~0: to the end, however far it moves
    bool exclusive = false;
    const FileTable* owner = nullptr; // a process is its descriptor table
    int process = 0;
    RangeLock* next = nullptr;
};

struct LockSet {
    LockSet() = default;
    LockSet(const LockSet&) = delete;
    LockSet& operator=(const LockSet&) = delete;
    ~LockSet();

    RangeLock* ranges = nullptr;
    unsigned shared_flocks = 0;
    bool exclusive_flock = false;
    WaitQueue changed;
};

// The node's locks, made when first needed.
[[nodiscard]] Result<LockSet*> locks_of(Node& node);

// The lock of another owner that conflicts with `wanted`, the lowest of them; or nullptr.
[[nodiscard]] const RangeLock* conflict(const Node& node, const RangeLock& wanted);
// Gives `wanted` to its owner, replacing what that owner holds in the range. again: conflict.
[[nodiscard]] Status lock_range(Node& node, const RangeLock& wanted);
[[nodiscard]] Status unlock_range(Node& node, std::uint64_t first, std::uint64_t last,
                                  const FileTable& owner);
void unlock_all(Node& node, const FileTable& owner); // when the owner closes any descriptor of the file

// A process that waits for another's range, as long as this lives.
class RangeLockWait {
public:
    RangeLockWait(const FileTable& who, const FileTable& holder);
    ~RangeLockWait();
    RangeLockWait(const RangeLockWait&) = delete;
    RangeLockWait& operator=(const RangeLockWait&) = delete;
    // The holder waits already for `who`, itself or through others: they would wait for ever (EDEADLK).
    [[nodiscard]] static bool closes_circle(const FileTable& who, const FileTable& holder);

private:
    const FileTable* who_;
    const FileTable* holder_;
    RangeLockWait* next_;
};

// flock(2): 0 unlock, 1 shared, 2 exclusive. again: conflict; an upgrade loses the old lock first, as on
// Linux.
[[nodiscard]] Status lock_file(File& file, std::uint8_t lock);

} // namespace uk::fs
