// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/fs/files/file_table.hpp - the descriptors of a process.
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
    std::uint32_t references = 0; // of those on the heap

private:
    struct Slot {
        File* file; // referenced
        bool close_on_exec;
    };
    [[nodiscard]] Status reserve(unsigned count);
    void drop(File& file);
    [[nodiscard]] unsigned lowest_free(unsigned from) const;
    [[nodiscard]] unsigned first_used(unsigned from) const; // capacity_: none
    void mark(unsigned index, bool used);

    Slot* slots_ = nullptr;
    std::uint64_t* used_ = nullptr; // a bit a slot, behind the slots
    std::uint64_t* full_ = nullptr; // a bit a word of used_
    unsigned capacity_ = 0;         // a multiple of 64
    unsigned hint_ = 0;             // nothing below is free
};

// Shared by the threads of a process, and by processes that clone(2) made so (CLONE_FILES).
void retain(FileTable& table);
void release(FileTable& table);

} // namespace uk::fs
