// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/base/log.hpp - the console: program output and the kernel's own few lines.
#pragma once

#include <cstddef>
#include <span>
#include <string_view>

namespace uk {

// Bytes to a stream of the console, 1 (standard output) or 2 (standard error); all are taken.
void console_write(std::span<const std::byte> bytes, unsigned stream);

// One line of the kernel's own, printed as "[caisson] text\n". Only for real events; past a budget of lines
// it is silent, so that a program cannot flood the console through it.
void log(std::string_view text);

// A note for the hypervisor's audit trail ("enosys=fork"), 256 bytes at most; nothing under QEMU alone. Eight at once, then one a
// second, which is less than the hypervisor takes: false where it was dropped.
bool audit(std::string_view text);
// Something was refused to a program: a note, which counts ("dropped=N") those before it that were dropped. 240 bytes at most.
void audit_denial(std::string_view text);

} // namespace uk
