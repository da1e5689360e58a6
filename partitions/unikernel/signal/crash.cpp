// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/signal/crash.cpp - death by a signal: a report for the faults, then status 128 +
// number.
#include "hypervisor/base/text.hpp"
#include "partitions/unikernel/base/log.hpp"
#include "partitions/unikernel/fs/files/file.hpp"
#include "partitions/unikernel/signal/signals.hpp"

namespace uk::signal {

namespace {

std::string_view name_of(int number) {
    switch (number) {
    case segv:
        return "SIGSEGV";
    case bus:
        return "SIGBUS";
    case fpe:
        return "SIGFPE";
    case ill:
        return "SIGILL";
    case trap:
        return "SIGTRAP";
    case abort:
        return "SIGABRT";
    case sys:
        return "SIGSYS";
    default:
        return "signal";
    }
}

// "rip 0x... = /usr/bin/app + 0x1234".
void report_place(std::string_view what, std::uint64_t address) {
    const Process& process = current_process();
    base::Text<300> line;
    line << what << ' ' << base::hex(address);
    const mm::Vma* vma = process.space->ranges().find(address);
    if (vma == nullptr) {
        line << " (nothing is mapped there)";
    } else if (vma->node != nullptr) {
        fs::TextSink path;
        fs::describe(*vma->node, *process.context.root, path);
        line << " = " << path.view().substr(0, 200) << " + " << base::hex(vma->offset_of(address));
    } else {
        line << (vma->kind == mm::VmaKind::stack  ? " in the stack"
                 : vma->kind == mm::VmaKind::heap ? " in the heap"
                 : vma->kind == mm::VmaKind::vdso ? " in the vDSO"
                                                  : " in anonymous memory");
    }
    log(line.view());
}

void report(const TrapFrame& f, const Information& information) {
    const Thread& thread = current();
    base::Text<200> head;
    head << name_of(information.number) << " (" << information.number << ") code " << information.code
         << " kills process " << thread.process->id << ", thread " << thread.id << " '"
         << std::string_view{thread.name.data()} << '\'';
    log(head.view());
    report_place("rip", f.rip);
    if (information.address != 0 && information.address != f.rip)
        report_place("address", information.address);
    base::Text<300> first;
    first << "rax " << base::hex(f.rax) << " rbx " << base::hex(f.rbx) << " rcx " << base::hex(f.rcx)
          << " rdx " << base::hex(f.rdx) << " rsi " << base::hex(f.rsi) << " rdi " << base::hex(f.rdi)
          << " rbp " << base::hex(f.rbp) << " rsp " << base::hex(f.rsp);
    log(first.view());
    base::Text<300> second;
    second << "r8 " << base::hex(f.r8) << " r9 " << base::hex(f.r9) << " r10 " << base::hex(f.r10) << " r11 "
           << base::hex(f.r11) << " r12 " << base::hex(f.r12) << " r13 " << base::hex(f.r13) << " r14 "
           << base::hex(f.r14) << " r15 " << base::hex(f.r15) << " rflags " << base::hex(f.rflags);
    log(second.view());
}

} // namespace

void die(TrapFrame& frame, const Information& information) {
    if ((bit(information.number) & (synchronous | bit(abort))) != 0)
        report(frame, information);
    end_process(information.number);
}

} // namespace uk::signal
