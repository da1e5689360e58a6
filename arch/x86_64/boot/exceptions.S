/* SPDX-License-Identifier: Apache-2.0 */
/* arch/x86_64/boot/exceptions.S - the hypervisor's own exception entries.
 *
 * Interrupts are never enabled here (but to empty a local APIC), so the 32 exceptions matter. All but NMI and #MC are our bugs and end in the
 * C++ function that reports them. An NMI is a kick or time's: it asks its CPU to look and returns, and where it hit the way from a look at the
 * requests to a sleep or to a guest (nmi_moves: from, to, continue at) it moves on past that, so that no kick is lost.
 * Spec: AMD APM vol. 2 "Exceptions and Interrupts". */

.section .text.exceptions, "ax", @progbits
.code64
.macro entry vector
    .balign 16
    endbr64
    .if !((\vector == 8) || (\vector >= 10 && \vector <= 14) || (\vector == 17) || (\vector == 21) || (\vector == 29) || (\vector == 30))
    pushq $0
    .endif
    pushq $\vector
    jmp exception_common
.endm

.balign 16
.global exception_entries
exception_entries:
.set number, 0
.rept 32
    entry number
    .set number, number + 1
.endr

exception_common:
.irp register, rax, rcx, rdx, rbx, rbp, rsi, rdi, r8, r9, r10, r11, r12, r13, r14, r15
    pushq %\register
.endr
    movq %rsp, %rdi
    cld
    andq $-16, %rsp
    call caisson_exception  /* does not return */
1:  hlt
    jmp 1b

/* #GP: an instruction of cpu/guarded.S that faulted is given up, its function returns false. Any other is a bug in the hypervisor. */
.balign 16
.global general_protection_entry
general_protection_entry:
    endbr64
    pushq %rax
    pushq %rcx
    movq 24(%rsp), %rax         /* RIP, above the error code */
    movq $guarded_moves, %rcx
1:  cmpq $guarded_moves_end, %rcx
    jae 2f
    cmpq (%rcx), %rax
    je 3f
    addq $16, %rcx
    jmp 1b
2:  popq %rcx
    popq %rax
    jmp exception_entries + 13 * 16
3:  movq 8(%rcx), %rax
    movq %rax, 24(%rsp)
    popq %rcx
    popq %rax
    addq $8, %rsp
    iretq

.balign 16
.global nmi_entry
nmi_entry:
    endbr64
    lock orl $1, %gs:16         /* Cpu::requests: request_look */
    incl %gs:20                 /* Cpu::nmis */
    pushq %rax
    pushq %rcx
    movq 16(%rsp), %rax         /* RIP */
    movq $nmi_moves, %rcx
1:  cmpq (%rcx), %rax
    jb 2f
    cmpq 8(%rcx), %rax
    jae 2f
    movq 16(%rcx), %rax
    movq %rax, 16(%rsp)
    jmp 3f
2:  addq $24, %rcx
    cmpq $nmi_moves_end, %rcx
    jb 1b
3:  popq %rcx
    popq %rax
    iretq

.section .rodata.nmi_moves, "a", @progbits
.balign 8
nmi_moves:
    .quad idle_halt, idle_done, idle_done
    .quad vmx_window, vmx_window_end, vmx_kicked
    .quad vmx_idle, vmx_idle_end, vmx_idle_end
nmi_moves_end:
.section .text.exceptions, "ax", @progbits

/* Waits, with GIF = 0 on entry and on return, until an NMI arrives. The caller checked its requests with GIF = 0. */
.balign 16
.global idle_until_kick
idle_until_kick:
    stgi
idle_halt:
    hlt
idle_done:
    clgi
    ret

/* A C++ function may change the registers saved here; it runs with the stack 16-byte aligned. */
.macro returning_entry name, function
.balign 16
.global \name
\name:
    endbr64
.irp register, rax, rcx, rdx, rsi, rdi, r8, r9, r10, r11
    pushq %\register
.endr
    cld
    call \function
.irp register, r11, r10, r9, r8, rdi, rsi, rdx, rcx, rax
    popq %\register
.endr
    iretq
.endm

/* Every vector from 32 up while a stopped partition's local APIC is emptied: end of interrupt, nothing else. */
returning_entry drain_entry, caisson_end_of_interrupt
/* #MC: returns where the banks allow it. */
returning_entry machine_check_entry, caisson_machine_check
/* Vector 18 while it is emptied: either of the two. */
returning_entry drain_machine_check_entry, caisson_drain_machine_check

/* GIF = 0 on entry and on return. */
.balign 16
.global take_pending_interrupts
take_pending_interrupts:
    stgi
    sti
    nop
    nop
    cli
    clgi
    ret

.section .note.GNU-stack, "", @progbits
