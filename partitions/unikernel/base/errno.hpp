// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/base/errno.hpp - Linux error numbers (x86-64) as a type; a system call returns -number.
#pragma once

#include "hypervisor/base/result.hpp"

#include <cstdint>

namespace uk {

// clang-format off
enum class Errno : int {
    perm = 1, noent = 2, srch = 3, intr = 4, io = 5, nxio = 6, too_big = 7, noexec = 8, badf = 9, child = 10,
    again = 11, nomem = 12, acces = 13, fault = 14, notblk = 15, busy = 16, exist = 17, xdev = 18, nodev = 19,
    notdir = 20, isdir = 21, inval = 22, nfile = 23, mfile = 24, notty = 25, txtbsy = 26, fbig = 27, nospc = 28,
    spipe = 29, rofs = 30, mlink = 31, pipe = 32, dom = 33, range = 34, deadlk = 35, nametoolong = 36, nolck = 37,
    idrm = 43,
    nosys = 38, notempty = 39, loop = 40, nodata = 61, proto = 71, overflow = 75, notsock = 88, destaddrreq = 89,
    msgsize = 90, prototype = 91, noprotoopt = 92, protonosupport = 93, socktnosupport = 94, opnotsupp = 95,
    pfnosupport = 96, afnosupport = 97, addrinuse = 98, addrnotavail = 99, netdown = 100, netunreach = 101,
    connaborted = 103, connreset = 104, nobufs = 105, isconn = 106, notconn = 107, toomanyrefs = 109,
    timedout = 110, connrefused = 111, hostunreach = 113, already = 114, inprogress = 115,
    // Inside the kernel only, of a call that a signal interrupted; EINTR where they do not say otherwise.
    restart_sys = 512,             // made again after a handler with SA_RESTART, and when no handler ran
    restart_without_handler = 514, // made again when no handler ran
    restart_block = 516,           // goes on through restart_syscall(2) when no handler ran
};
// clang-format on

template <typename T> using Result = base::Result<T, Errno>;
using Status = base::Status<Errno>;

// A handler of a system call gives the value for RAX or an error.
using SyscallResult = Result<std::uint64_t>;

} // namespace uk
