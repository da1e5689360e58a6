// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/machine/stubs.S - the ways in and out of the kernel, and the few routines that need
// assembly.
//
// Invariants: I1  interrupts are off whenever kernel code runs, except in idle_wait
//             I2  GS holds the CPU's own block exactly while the kernel runs (swapgs when CPL changes; traps
//                 that come between the two look at GS itself)
//             I3  SYSRET only with a canonical user RIP (a non-canonical one would fault with the user's
//                 stack)
//             I4  RFLAGS.AC is clear in the kernel, except between STAC and CLAC of the user copies
// Spec: AMD APM vol. 2 "SYSCALL and SYSRET", "Long-Mode Interrupt Control Transfer".

.equ USER_END, 0x7ffffffff000
.equ CPU_STACK_TOP, 0                   // struct Cpu in this_cpu.hpp
.equ CPU_SCRATCH, 8

// STAC and CLAC where the CPU has SMAP; listed so that start code can blank them where it has not.
.macro smap_site instruction
99: \instruction
    .pushsection .smap_sites, "a"
    .quad 99b
    .popsection
.endm

.macro push_registers
    pushq %rdi
    pushq %rsi
    pushq %rdx
    pushq %rcx
    pushq %rax
    pushq %r8
    pushq %r9
    pushq %r10
    pushq %r11
    pushq %rbx
    pushq %rbp
    pushq %r12
    pushq %r13
    pushq %r14
    pushq %r15
.endm
.macro pop_registers
    popq %r15
    popq %r14
    popq %r13
    popq %r12
    popq %rbp
    popq %rbx
    popq %r11
    popq %r10
    popq %r9
    popq %r8
    popq %rax
    popq %rcx
    popq %rdx
    popq %rsi
    popq %rdi
.endm

.text
.globl system_call_entry
system_call_entry:
    swapgs
    movq %rsp, %gs:CPU_SCRATCH
    movq %gs:CPU_STACK_TOP, %rsp
    pushq $0x2b
    pushq %gs:CPU_SCRATCH
    pushq %r11
    pushq $0x33
    pushq %rcx
    pushq %rax                          // TrapFrame::error: the number
    pushq $0x100                        // system_call_vector
    push_registers
    xorl %ebp, %ebp
    movq %rsp, %rdi
    call handle_system_call
// RSP points at the frame; go back to the program.
.globl return_to_user
return_to_user:
    movq 17 * 8(%rsp), %rcx             // rip
    cmpq %rcx, 11 * 8(%rsp)             // SYSRET puts RCX into RIP: only if RCX is that anyway
    jne use_iret
    movq 19 * 8(%rsp), %r11             // rflags
    cmpq %r11, 6 * 8(%rsp)
    jne use_iret
    movabsq $USER_END, %rax
    cmpq %rax, %rcx
    jae use_iret
    testl $0x10100, %r11d               // TF or RF
    jnz use_iret
    pop_registers
    movq 5 * 8(%rsp), %rsp              // behind vector, error, rip, cs, rflags
    swapgs
    sysretq
use_iret:
    pop_registers
    addq $16, %rsp
    swapgs
.globl user_iret
user_iret:
    iretq

trap_common:
    push_registers
    smap_site clac
    cld
    testb $3, 18 * 8(%rsp)              // cs
    jz 1f
    swapgs
    movq %rsp, %rdi
    xorl %ebp, %ebp
    call handle_user_trap
    jmp return_to_user
1:  movq 17 * 8(%rsp), %rax             // rip
    cmpq $user_iret, %rax
    je bad_return
    movq %rsp, %rdi
    call handle_kernel_trap
    pop_registers
    addq $16, %rsp
    iretq
// The program's own values made IRETQ fault. The registers just pushed are the program's, GS is its already.
bad_return:
    swapgs
    movq %rsp, %rdi
    xorl %ebp, %ebp
    call handle_bad_return              // the program's frame, whole again
    movq %rax, %rsp
    jmp return_to_user

// NMI, #DB, #DF and #MC may come between SYSCALL and SWAPGS, or behind the last SWAPGS of the way out: they have stacks
// of their own, and the sign of GS says whose it is, for a program's lies in the lower half.
paranoid_common:
    push_registers
    smap_site clac
    cld
    cmpb $2, 15 * 8(%rsp)               // an NMI never waits, and is over with its IRETQ
    je 1f
    testb $3, 18 * 8(%rsp)
    jnz 4f
1:  movl $0xC0000101, %ecx              // GS.base
    rdmsr
    xorl %ebx, %ebx
    testl %edx, %edx
    js 2f
    swapgs
    incl %ebx
2:  movq %rsp, %rdi
    xorl %ebp, %ebp
    call handle_paranoid_trap
    testl %ebx, %ebx
    jz 3f
    swapgs
3:  pop_registers
    addq $16, %rsp
    iretq
// From a program: on its thread's stack, as any trap.
4:  swapgs
    movq %gs:CPU_STACK_TOP, %rdi
    subq $(22 * 8), %rdi
    movq %rdi, %rax
    movq %rsp, %rsi
    movl $22, %ecx
    rep movsq
    movq %rax, %rsp
    movq %rax, %rdi
    xorl %ebp, %ebp
    call handle_user_trap
    jmp return_to_user

.macro trap number
trap_\number:
    // The CPU pushes an error code for 8, 10-14, 17, 21, 29, 30.
    .if \number < 32 && ((0x60227d00 >> \number) & 1)
    .else
    pushq $0
    .endif
    pushq $\number
    .if \number == 1 || \number == 2 || \number == 8 || \number == 18
    jmp paranoid_common
    .else
    jmp trap_common
    .endif
.endm
.altmacro
.set i, 0
.rept 32
    trap %i
    .set i, i + 1
.endr
    trap 32
    trap 33
    trap 34
    trap 35
    trap 255

.section .rodata
.balign 8
.macro trap_address number
    .quad trap_\number
.endm
.globl trap_addresses
trap_addresses:
.set i, 0
.rept 36
    trap_address %i
    .set i, i + 1
.endr
.globl trap_spurious_address
trap_spurious_address:
    .quad trap_255
.noaltmacro

.text
// void switch_stack(uint64_t* save_sp (RDI), uint64_t load_sp (RSI)): to another thread's kernel stack.
.globl switch_stack
switch_stack:
    pushq %rbx
    pushq %rbp
    pushq %r12
    pushq %r13
    pushq %r14
    pushq %r15
    movq %rsp, (%rdi)
    movq %rsi, %rsp
    popq %r15
    popq %r14
    popq %r13
    popq %r12
    popq %rbp
    popq %rbx
    ret

// A new thread's first instruction: its stack holds just its frame.
.globl thread_begin
thread_begin:
    movq %rsp, %rdi
    call handle_thread_begin
    jmp return_to_user

// [[noreturn]] void leave_boot_stack(uint64_t sp (RDI)): continues at thread_begin on a thread's stack.
.globl leave_boot_stack
leave_boot_stack:
    movq %rdi, %rsp
    jmp thread_begin

// The idle thread's first instruction.
.globl idle_begin
idle_begin:
    call run_idle
    ud2

// Interrupts on, wait for one, off again.
.globl idle_wait
idle_wait:
    sti
    hlt
    cli
    ret

// Interrupts on and off again; STI holds them off for one instruction.
.globl take_interrupts
take_interrupts:
    sti
    nop
    cli
    ret

// size_t user_copy(void* to, const void* from, size_t bytes) -> bytes not copied.
// A fault that cannot be resolved continues at the label of the range it happened in (user_copy_fixup in
// traps.cpp).
.globl user_copy, user_copy_words, user_copy_words_failed, user_copy_bytes, user_copy_bytes_failed
user_copy:
    movq %rdx, %rcx
    shrq $3, %rcx
    andl $7, %edx
    smap_site stac
user_copy_words:
    rep movsq
    movl %edx, %ecx
user_copy_bytes:
    rep movsb
user_copy_bytes_failed:
    smap_site clac
    movq %rcx, %rax
    ret
// The last word may be there in part: up to the bad page byte by byte.
user_copy_words_failed:
    leaq (%rdx, %rcx, 8), %rcx
    jmp user_copy_bytes

// size_t user_clear(void* to, size_t bytes) -> bytes not cleared.
.globl user_clear, user_clear_bytes, user_clear_bytes_failed
user_clear:
    movq %rsi, %rcx
    xorl %eax, %eax
    smap_site stac
user_clear_bytes:
    rep stosb
user_clear_bytes_failed:
    smap_site clac
    movq %rcx, %rax
    ret

// ssize_t user_string(char* to, const char* from, size_t bytes) -> length without NUL; -1 fault, -2 no NUL in
// `bytes`.
// Eight bytes at a time where they lie in one aligned word, which is in one page: nothing behind the NUL is touched
// that could fault.
.globl user_string, user_string_load, user_string_load_end, user_string_failed
user_string:
    xorl %eax, %eax
    movabsq $0x0101010101010101, %r10
    movabsq $0x8080808080808080, %r11
    smap_site stac
1:  leaq (%rsi, %rax), %r8
    testb $7, %r8b
    jnz 4f
7:  leaq 8(%rax), %r8
    cmpq %rdx, %r8
    ja 4f
user_string_load:
    movq (%rsi, %rax), %rcx
    jmp 5f
4:  cmpq %rdx, %rax
    jae 2f
    movb (%rsi, %rax), %cl
user_string_load_end:
    movb %cl, (%rdi, %rax)
    testb %cl, %cl
    jz 3f
    incq %rax
    jmp 1b
5:  movq %rcx, %r9
    subq %r10, %r9
    movq %rcx, %r8
    notq %r8
    andq %r8, %r9
    testq %r11, %r9
    jnz 6f                              // a NUL is among them
    movq %rcx, (%rdi, %rax)
    addq $8, %rax
    jmp 7b
6:  movb %cl, (%rdi, %rax)
    testb %cl, %cl
    jz 3f
    incq %rax
    shrq $8, %rcx
    jmp 6b
2:  movq $-2, %rax
3:  smap_site clac
    ret
user_string_failed:
    movq $-1, %rax
    smap_site clac
    ret

// long user_compare_exchange(uint32_t* word, uint32_t expected, uint32_t desired, uint32_t* seen) -> 0, or 1
// on a fault.
.globl user_compare_exchange, user_exchange_access, user_exchange_access_end, user_exchange_failed
user_compare_exchange:
    movl %esi, %eax
    movq %rcx, %r8
    smap_site stac
user_exchange_access:
    lock cmpxchgl %edx, (%rdi)
user_exchange_access_end:
    smap_site clac
    movl %eax, (%r8)
    xorl %eax, %eax
    ret
user_exchange_failed:
    smap_site clac
    movl $1, %eax
    ret

// Vector state: XSAVE/XRSTOR of all enabled components, or FXSAVE where there is no XSAVE.
.globl vector_save_xsave, vector_restore_xsave, vector_save_fxsave, vector_restore_fxsave
.globl vector_xrstor, vector_xrstor_end, vector_fxrstor, vector_fxrstor_end, vector_restore_failed
vector_save_xsave:
    movl $-1, %eax
    movl %eax, %edx
    xsave64 (%rdi)
    ret
vector_restore_xsave:
    movl $-1, %eax
    movl %eax, %edx
vector_xrstor:
    xrstor64 (%rdi)
vector_xrstor_end:
    xorl %eax, %eax
    ret
vector_save_fxsave:
    fxsave64 (%rdi)
    ret
vector_restore_fxsave:
vector_fxrstor:
    fxrstor64 (%rdi)
vector_fxrstor_end:
    xorl %eax, %eax
    ret
// Nothing was loaded: the area is not sound.
vector_restore_failed:
    movl $1, %eax
    ret
// Loads a new code segment and the data segments of the kernel's own GDT.
.globl load_segments
load_segments:
    movl $0x18, %eax
    movl %eax, %ss
    xorl %eax, %eax
    movl %eax, %ds
    movl %eax, %es
    popq %rcx
    pushq $0x10
    pushq %rcx
    lretq

.section .note.GNU-stack, "", @progbits
