/* SPDX-License-Identifier: Apache-2.0 */
/* arch/x86_64/svm/run.S - the way into a guest and back, the hot path of every exit.
 *
 * VMRUN switches RAX, RSP, RIP, RFLAGS, CR0, CR3, CR4, EFER, GDTR, IDTR, CS, SS, DS, ES. The other general registers are
 * moved here; FS, GS, TR, LDTR, KernelGSBase, STAR.., SYSENTER.. by VMLOAD / VMSAVE at every exit, so that the host's TSS
 * (IST stacks) is in place whenever host code runs. DR0-3, XCR0 and vector state stay the guest's: the hypervisor uses
 * none of them, and they are reset between partitions' generations. GIF is 0 throughout.
 * RAX is copied out of the VMCB and into it; TLB_CONTROL holds for one VMRUN. Offsets: svm::Entry, svm::Vmcb, vcpu::Registers. Spec: AMD APM vol. 2 sections 15.5, 15.6, 15.17. */

#include "arch/x86_64/virt/registers.S"

.section .text.svm, "ax", @progbits
.code64
.balign 64
.global svm_run
svm_run:
    push_kept
    subq $8, %rsp
    pushq 24(%rdi)          /* [rsp + 24]: context */
    pushq 16(%rdi)          /* [rsp + 16]: host VMCB */
    pushq 8(%rdi)           /* [rsp + 8]:  VMCB */
    pushq 0(%rdi)           /* [rsp]:      registers */
1:  movq 8(%rsp), %rax
    movq (%rsp), %rdi
    vmload %rax
    movq (%rdi), %rbx
    movq %rbx, 0x5f8(%rax)
    guest_registers load
    movq 40(%rdi), %rdi
    vmrun %rax
    vmsave %rax
    pushq %rdi
    movq 8(%rsp), %rdi
    guest_registers save
    movq 0x5f8(%rax), %rbx
    movq %rbx, (%rdi)
    movb $0, 0x5c(%rax)
    popq 40(%rdi)
    movq 16(%rsp), %rax
    vmload %rax
    movq 24(%rsp), %rdi
    xorl %ebp, %ebp
    call svm_exit
    testb %al, %al
    jnz 1b
    fill_return_stack
    movl $1, %eax
    addq $40, %rsp
    pop_kept
    ret

.global svm_save_host
svm_save_host:
    movq %rdi, %rax
    vmsave %rax
    ret

.global take_pending_nmi
take_pending_nmi:
    stgi
    nop
    clgi
    ret

.section .note.GNU-stack, "", @progbits
