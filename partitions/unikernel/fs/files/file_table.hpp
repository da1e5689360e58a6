// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/fs/files/file_table.hpp - the descriptors of a process (shared by its threads).
#pragma once

#include "partitions/unikernel/fs/files/file.hpp"

namespace uk::fs {

class FileTable {
public:
    FileTable() = default;
    FileTable(const FileTable&) = delete;
    FileTable& operator=(const FileTable&) = delete;
    ~FileTable() { close_all(); }

    [[nodiscard]] Result<Ref<File>> get(int descriptor) const; // badf
    // The lowest free descriptor >= `lowest`. Errors: mfile, nomem, inval.
    [[nodiscard]] Result<int> add(Ref<File> file, bool close_on_exec, int lowest = 0);
    // Puts the file at `descriptor`; what was there is closed.
    [[nodiscard]] Status put(int descriptor, Ref<File> file, bool close_on_exec);
    [[nodiscard]] Status close(int descriptor);
    void close_range(unsigned first, unsigned last); // inclusive
    void mark_range_close_on_exec(unsigned first, unsigned last);
    [[nodiscard]] Result<bool> close_on_exec(int descriptor) const;
    [[nodiscard]] Status set_close_on_exec(int descriptor, bool on);
    // The first open descriptor >= `from`, or -1.
    [[nodiscard]] int next(int from) const;

    // For fork: the same descriptions under the same numbers. The table is empty.
    [[nodiscard]] Status copy_from(const FileTable& other);
    void close_marked(); // at exec
    void close_all();

    // RLIMIT_NOFILE; descriptors above it stay open.
    unsigned limit = 1024;

private:
    struct Slot {
        File* file; // referenced
        bool close_on_exec;
    };
    [[nodiscard]] Status reserve(unsigned count);
    void drop(File& file);

    Slot* slots_ = nullptr;
    unsigned capacity_ = 0;
};

} // namespace uk::fs
