/* SPDX-License-Identifier: Apache-2.0 */
/* arch/x86_64/virt/registers.S - a guest's general registers to and from vcpu::Registers, and the hypervisor's that a called
 * function keeps to and from the stack, for both vendors' stubs.
 *
 * Included, not assembled by itself. RDI points to the Registers; RAX (first) and RDI itself are left to the stub. */

.macro guest_registers direction
    .set at, 8
    .irp name, rbx, rcx, rdx, rsi, rdi, rbp, r8, r9, r10, r11, r12, r13, r14, r15
    .ifnc \name, rdi
    .ifc \direction, load
    movq at(%rdi), %\name
    .else
    movq %\name, at(%rdi)
    .endif
    .endif
    .set at, at + 8
    .endr
.endm

/* What the guest left among the return predictions lies below the host's 32 before the first RET without a CALL of its own since
 * the exit. Changes RCX. Intel SDM "Speculative Execution Side Channel Mitigations", RSB filling; AMD likewise. */
.macro fill_return_stack
    movl $32, %ecx
71: call 72f
    int3                /* where a RET would be speculated to */
72: addq $8, %rsp
    decl %ecx
    jnz 71b
    lfence
.endm

.macro push_kept
    .irp name, rbx, rbp, r12, r13, r14, r15
    pushq %\name
    .endr
.endm

.macro pop_kept
    .irp name, r15, r14, r13, r12, rbp, rbx
    popq %\name
    .endr
.endm
