// SPDX-License-Identifier: Apache-2.0
// partitions/uplink/start/stubs.S - where traps and interrupts enter, and the way from the boot stack to one with a guard page.
// Spec: AMD APM vol. 2 "Exceptions and Interrupts"; System V ABI for x86-64 (which registers a call keeps).

.text
// Every exception ends the partition: vector and what the CPU pushed are told.
.macro trap number
    .balign 16
    .if \number < 32 && ((0x60227d00 >> \number) & 1) // the CPU pushes an error code for 8, 10-14, 17, 21, 29, 30
    .else
    pushq $0
    .endif
    pushq $\number
    jmp trap_common
.endm
.altmacro
.globl uplink_trap_stubs
.balign 16
uplink_trap_stubs:
.set i, 0
.rept 32
    trap %i
    .set i, i + 1
.endr
.noaltmacro
trap_common:
    cld
    movq %rsp, %rdi
    andq $-16, %rsp
    call uplink_trap
    ud2

// One more has come; the APIC is told that it was taken. Where the kernel went on is kept as it was.
.globl uplink_interrupt_stub
uplink_interrupt_stub:
    pushq %rax
    pushq %rcx
    pushq %rdx
    movb $1, uplink_interrupted(%rip)
    movl $0x80B, %ecx                   // end of interrupt, x2APIC
    xorl %eax, %eax
    xorl %edx, %edx
    wrmsr
    popq %rdx
    popq %rcx
    popq %rax
.globl uplink_spurious_stub
uplink_spurious_stub:                   // the APIC waits for nothing
    iretq

// void uplink_wait(): interrupts on, wait for one, off again.
.globl uplink_wait
uplink_wait:
    sti
    hlt
    cli
    ret

// [[noreturn]] void uplink_run_on(uint64_t stack (RDI), void (*function)() (RSI))
.globl uplink_run_on
uplink_run_on:
    movq %rdi, %rsp
    xorl %ebp, %ebp
    call *%rsi
    ud2

// void uplink_load_segments(): a new code segment and the data segments of the kernel's own table.
.globl uplink_load_segments
uplink_load_segments:
    movl $0x10, %eax
    movl %eax, %ss
    movl %eax, %ds
    movl %eax, %es
    popq %rcx
    pushq $0x08
    pushq %rcx
    lretq

.section .note.GNU-stack, "", @progbits
