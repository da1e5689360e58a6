// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/process/pidfd.cpp - see pidfd.hpp.
#include "partitions/unikernel/process/pidfd.hpp"

#include "partitions/unikernel/fs/tree.hpp"

namespace uk::process {

namespace {

Pid& pid_in(const fs::File& file) {
    return *static_cast<Pid*>(file.state);
}

std::uint32_t readiness(fs::File& file) {
    const Process* process = pid_in(file).process;
    return process == nullptr || process->is_zombie() ? fs::ready::in | fs::ready::in_normal : 0;
}

WaitQueue& wait_for(fs::File& file) {
    return pid_in(file).on_end;
}

void forget(fs::File& file) {
    release(pid_in(file));
}

constexpr fs::FileOperations operations{
    .readiness = &readiness, .wait = &wait_for, .release = &forget, .positions = fs::Positions::none};

} // namespace

Result<Ref<fs::File>> make_pidfd(Pid& pid, std::uint32_t flags) {
    Ref<fs::Node> node = CAISSON_TRY(fs::Tree::current().make_anonymous(0600));
    Ref<fs::File> file =
        CAISSON_TRY(fs::make_file(std::move(node), operations, flags | fs::open_flag::read_write));
    retain(pid);
    file->state = &pid;
    return file;
}

Status give_pidfd(Pid& pid, mm::UserAddress to) {
    fs::FileTable& table = *current_process().files;
    Ref<fs::File> file = CAISSON_TRY(make_pidfd(pid, 0));
    const int descriptor = CAISSON_TRY(table.add(std::move(file), true));
    const Status written = mm::write_user(to, static_cast<std::int32_t>(descriptor));
    if (!written.ok())
        (void)table.close(descriptor);
    return written;
}

Result<Pid*> pid_of(const fs::File& file) {
    if (!file.is(operations))
        return base::Failure{Errno::badf};
    return &pid_in(file);
}

} // namespace uk::process
