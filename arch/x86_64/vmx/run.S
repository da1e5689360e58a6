/* SPDX-License-Identifier: Apache-2.0 */
/* arch/x86_64/vmx/run.S - the way into a guest and back, the hot path of every exit.
 *
 * VMX switches RSP, RIP, RFLAGS, CR0, CR3, CR4, EFER, PAT, DR7, all segment and table registers. The general registers are
 * moved here. CR2, DR0-3, DR6, XCR0, STAR.., KernelGSBase, TSC_AUX and vector state stay the guest's: the hypervisor
 * uses none of them, and they are reset between partitions' generations.
 * Between vmx_window and vmx_window_end an NMI abandons the entry (nmi_entry continues at vmx_kicked): a request that is
 * made after it was looked for is not lost. Nothing there changes memory.
 * Offsets: vmx::Entry, vcpu::Registers. Spec: Intel SDM vol. 3 "VM Entries", "VM Exits". */

.set HOST_RSP, 0x6c14

#include "arch/x86_64/virt/registers.S"

.section .text.vmx, "ax", @progbits
.code64
.balign 64
.global vmx_run, vmx_exited, vmx_window, vmx_window_end, vmx_kicked
vmx_run:
    push_kept
    pushq %rdi              /* [rsp]: entry */
    movl $HOST_RSP, %eax
    vmwrite %rsp, %rax
    jbe vmx_refused
vmx_window:
    movq (%rsp), %rdi
    movq 8(%rdi), %rax
    cmpl $0, (%rax)
    jne vmx_kicked
    cmpl $0, 24(%rdi)
    movq (%rdi), %rdi
    movq (%rdi), %rax
    guest_registers load
    movq 40(%rdi), %rdi
    je 1f
    vmresume
    jmp vmx_refused
1:  vmlaunch
vmx_window_end:
vmx_refused:
    xorl %eax, %eax
    jmp 2f

.balign 16
vmx_exited:
    pushq %rdi
    movq 8(%rsp), %rdi
    movl $1, 24(%rdi)
    movq (%rdi), %rdi
    movq %rax, (%rdi)
    guest_registers save
    popq 40(%rdi)
    movq (%rsp), %rdi
    movq 16(%rdi), %rdi
    xorl %ebp, %ebp
    call vmx_exit
    testb %al, %al
    jnz vmx_window
vmx_kicked:
    movl $1, %eax
2:  fill_return_stack
    addq $8, %rsp
    pop_kept
    ret

.global vmx_take_nmi
vmx_take_nmi:
    int $2
    ret

.global vmx_take_interrupts
vmx_take_interrupts:
    sti
    nop
    nop
    cli
    ret

/* Between vmx_idle and vmx_idle_end an NMI means: do not sleep. */
.global vmx_idle, vmx_idle_end
.balign 16
vmx_idle:
    testb $1, (%rdi)
    jnz vmx_idle_end
    hlt
vmx_idle_end:
    ret

.section .note.GNU-stack, "", @progbits
