// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/syscalls/memfd.cpp - memfd_create(2).
#include "partitions/unikernel/fs/files/memfd.hpp"

#include "partitions/unikernel/fs/tree.hpp"
#include "partitions/unikernel/syscalls/user_buffers.hpp"

namespace uk {

SyscallResult sys_memfd_create(const Arguments& arguments) {
    constexpr std::uint32_t close_on_exec = 1, allow_sealing = 2, no_execute = 8, execute = 0x10;
    const std::uint32_t flags = arguments.word(1);
    // Huge pages (4) are not there.
    if ((flags & ~(close_on_exec | allow_sealing | no_execute | execute)) != 0 ||
        (flags & (no_execute | execute)) == (no_execute | execute))
        return base::Failure{Errno::inval};
    std::array<char, fs::memfd_name_max + 1> name;
    const auto length = mm::copy_string(name, arguments.pointer(0));
    if (!length.ok())
        return base::Failure{length.error() == Errno::nametoolong ? Errno::inval : length.error()};
    const bool executes = (flags & no_execute) == 0;
    std::uint8_t seals = executes ? 0 : fs::seal::execute;
    if ((flags & allow_sealing) == 0 && executes)
        seals |= fs::seal::seal;
    Ref<fs::Node> node =
        CAISSON_TRY(fs::Tree::current().make_anonymous(fs::mode::regular | (executes ? 0777 : 0666)));
    const fs::Credentials& who = files::context().credentials;
    node->user = who.file_user;
    node->group = who.file_group;
    Ref<fs::File> file = CAISSON_TRY(fs::make_memfd(std::move(node), {name.data(), *length}, seals));
    return static_cast<std::uint64_t>(
        CAISSON_TRY(files::table().add(std::move(file), (flags & close_on_exec) != 0)));
}

} // namespace uk
