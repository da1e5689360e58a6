// SPDX-License-Identifier: Apache-2.0
// partitions/adversary/runtime/start.S - PVH entry of a test guest: 32-bit protected mode to long mode on identity-mapped
// tables (first 4 GiB, 2 MiB pages), then guest_main(start_info). Also the real-mode entry of its other CPUs.
// Spec: Xen "x86/HVM direct boot ABI"; AMD APM vol. 2 "Processor Initialization and Long Mode Activation".

        .section .note.pvh, "a", @note
        .balign 4
        .long 4, 4, 18                  // XEN_ELFNOTE_PHYS32_ENTRY
        .asciz "Xen"
        .long pvh_start

        .section .text.start, "ax"
        .code32
        .globl pvh_start
pvh_start:
        cli
        cld
        movl    $bss_start, %edi        // a loader may leave what was there
        movl    $guest_image_end, %ecx
        subl    %edi, %ecx
        xorl    %eax, %eax
        rep stosb
        movl    $boot_stack_top, %esp
        movl    %ebx, %esi              // hvm_start_info
        movl    $pdpt + 3, pml4
        xorl    %ecx, %ecx
1:      movl    %ecx, %eax
        shll    $12, %eax
        addl    $directories + 3, %eax
        movl    %eax, pdpt(, %ecx, 8)
        incl    %ecx
        cmpl    $4, %ecx
        jne     1b
        xorl    %ecx, %ecx
2:      movl    %ecx, %eax
        shll    $21, %eax
        orl     $0x83, %eax             // present, writable, 2 MiB
        movl    %eax, directories(, %ecx, 8)
        incl    %ecx
        cmpl    $2048, %ecx
        jne     2b
        call    enter_long_mode
        ljmp    $0x08, $start64

        // CR3, EFER.LME|NXE, CR4.PAE|OSFXSR|OSXMMEXCPT, then paging; used by every CPU.
enter_long_mode:
        movl    %cr4, %eax
        orl     $0x620, %eax
        movl    %eax, %cr4
        movl    $pml4, %eax
        movl    %eax, %cr3
        movl    $0xC0000080, %ecx
        rdmsr
        orl     $0x900, %eax
        wrmsr
        movl    $0x80010033, %eax
        movl    %eax, %cr0
        lgdt    gdt_pointer
        ret

        .code64
start64:
        movw    $0x10, %ax
        movw    %ax, %ds
        movw    %ax, %es
        movw    %ax, %ss
        xorl    %eax, %eax
        movw    %ax, %fs
        movw    %ax, %gs
        movq    $boot_stack_top, %rsp
        movl    %esi, %edi
        call    guest_start
1:      hlt
        jmp     1b

        // Other CPUs: copied below 1 MiB by the guest, started by SIPI.
        .code16
        .globl trampoline, trampoline_end
trampoline:
        cli
        xorw    %ax, %ax
        movw    %ax, %ds
        movw    %cs, %ax
        movzwl  %ax, %ebx
        shll    $4, %ebx                // our own address
        leal    (trampoline_gdt_pointer - trampoline)(%ebx), %esi
        lgdtl   (%esi)
        movl    $0x11, %eax
        movl    %eax, %cr0
        ljmpl   $0x18, $other_cpu32
        .balign 8
trampoline_gdt_pointer:
        .word   gdt_end - gdt - 1
        .long   gdt
trampoline_end:
        .code32
other_cpu32:
        movw    $0x10, %ax
        movw    %ax, %ds
        movw    %ax, %es
        movw    %ax, %ss
        movl    $other_stack_top, %esp
        call    enter_long_mode
        ljmp    $0x08, $other_cpu64
        .code64
other_cpu64:
        movw    $0x10, %ax
        movw    %ax, %ds
        movw    %ax, %ss
        movq    $other_stack_top, %rsp
        call    guest_other_cpu
1:      hlt
        jmp     1b

        // Exception and interrupt stubs: vector and error code on the stack, 16 bytes each.
        .balign 16
        .globl vector_stubs
vector_stubs:
        .set    vector, 0
        .rept   256
        .balign 16
        .if (vector == 8) || (vector >= 10 && vector <= 14) || (vector == 17) || (vector == 21) || (vector == 29) || (vector == 30)
        .else
        pushq   $0
        .endif
        pushq   $vector
        jmp     vector_common
        .set    vector, vector + 1
        .endr
vector_common:
        pushq   %rax
        pushq   %rcx
        pushq   %rdx
        pushq   %rbx
        pushq   %rbp
        pushq   %rsi
        pushq   %rdi
        pushq   %r8
        pushq   %r9
        pushq   %r10
        pushq   %r11
        pushq   %r12
        pushq   %r13
        pushq   %r14
        pushq   %r15
        movq    %rsp, %rdi
        cld
        call    guest_vector
        popq    %r15
        popq    %r14
        popq    %r13
        popq    %r12
        popq    %r11
        popq    %r10
        popq    %r9
        popq    %r8
        popq    %rdi
        popq    %rsi
        popq    %rbp
        popq    %rbx
        popq    %rdx
        popq    %rcx
        popq    %rax
        addq    $16, %rsp
        iretq

        // guest_call_resumable(action, argument)
        .globl guest_call_resumable, guest_resume
guest_call_resumable:
        pushq   %rbx
        pushq   %rbp
        pushq   %r12
        pushq   %r13
        pushq   %r14
        pushq   %r15
        movq    %rsp, guest_resume_rsp
        movq    %rdi, %rax
        movq    %rsi, %rdi
        subq    $8, %rsp
        call    *%rax
        addq    $8, %rsp
guest_resume:
        popq    %r15
        popq    %r14
        popq    %r13
        popq    %r12
        popq    %rbp
        popq    %rbx
        ret

        .data
        .globl  guest_resume_rsp
guest_resume_rsp:
        .quad   0
        .balign 16
gdt:    .quad   0
        .quad   0x00209b0000000000      // 08: 64-bit code
        .quad   0x00cf93000000ffff      // 10: data
        .quad   0x00cf9b000000ffff      // 18: 32-bit code
gdt_end:
gdt_pointer:
        .word   gdt_end - gdt - 1
        .quad   gdt

        .bss
        .balign 4096
pml4:   .skip   4096
pdpt:   .skip   4096
directories:
        .skip   4 * 4096
        .skip   16384
boot_stack_top:
        .skip   16384
other_stack_top:
        .section .note.GNU-stack, "", @progbits
