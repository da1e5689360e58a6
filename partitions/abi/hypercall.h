/* SPDX-License-Identifier: Apache-2.0 */
/* partitions/abi/hypercall.h - how a partition calls the hypervisor. Version 1.4.
 *
 * Instruction: VMMCALL on AMD, VMCALL on Intel; the boot page says which. Only at CPL 0: elsewhere #UD, counted.
 * Registers:   RAX = number; arguments RDI, RSI, RDX, R10. Result in RAX; a negative value is -CAISSON_ERROR_...
 *              More results, where a call names them, in RDI, RSI, RDX, R10. All other registers are kept.
 * Addresses are guest-physical, in one RAM region of the caller; never guest-virtual.
 * Numbers that are not listed give -CAISSON_ERROR_UNKNOWN and are counted as refused. */
#ifndef CAISSON_ABI_HYPERCALL_H
#define CAISSON_ABI_HYPERCALL_H

#define CAISSON_ABI_VERSION 0x00010004u /* major << 16 | minor */

/* CPUID leaf 0x40000100: EAX = highest leaf of this range, EBX ECX EDX = "Caisson hv\0\0" (12 bytes).
 * Leaf 0x40000101: EAX = CAISSON_ABI_VERSION. */
#define CAISSON_CPUID_SIGNATURE 0x40000100u
#define CAISSON_CPUID_VERSION 0x40000101u
#define CAISSON_CPUID_SIGNATURE_TEXT "Caisson hv\0"

enum caisson_call {
    CAISSON_CALL_VERSION = 0,       /* -> CAISSON_ABI_VERSION */
    CAISSON_CALL_CONSOLE_WRITE = 1, /* RDI = GPA, RSI = bytes (<= 4096) -> bytes taken (may be fewer: retry) */
    CAISSON_CALL_CONSOLE_PUT = 2,   /* RDI = up to 8 bytes, first in the low byte, RSI = count 1-8 -> bytes taken */
    CAISSON_CALL_EXIT = 3,          /* RDI = status 0-255, RSI = enum caisson_exit_kind; does not return */
    CAISSON_CALL_CLOCK = 4,         /* RDI = enum caisson_clock -> value */
    CAISSON_CALL_ENTROPY = 5,       /* -> 0; RDI RSI RDX R10 = 32 fresh random bytes */
    CAISSON_CALL_COUNTER = 6,       /* RDI = enum caisson_counter -> value (of this partition, this call not counted) */
    CAISSON_CALL_AUDIT = 7,         /* RDI = GPA, RSI = bytes (<= 256) of text -> 0; becomes an audit record, rate-limited */
    CAISSON_CALL_CONSOLE_WRITE_STREAM = 8, /* RDI = GPA, RSI = bytes (<= 4096), RDX = enum caisson_stream -> bytes taken */
    CAISSON_CALL_LANE_RING = 9,     /* RDI = number of a link -> 0; one interrupt to the other end, if it listens */
    CAISSON_CALL_LANE_LISTEN = 10,  /* RDI = link, RSI = vector 32-255 or 0: silent, RDX = a started vCPU -> 0 */
    CAISSON_CALL_LANE_STATE = 11,   /* RDI = link -> generation of the other end's partition; 0: it does not run now */
    /* 16-31 are reserved for partitions that manage others (list, stop, start, reload). */
};

enum caisson_exit_kind {
    CAISSON_EXIT_NORMAL = 0, /* the container's main process ended with this status */
    CAISSON_EXIT_SIGNAL = 1, /* it was killed by a signal: status = 128 + signal */
    CAISSON_EXIT_FAULT = 2,  /* the payload's kernel gave up */
};

enum caisson_stream {
    CAISSON_STREAM_OUTPUT = 1, /* standard output; also what CONSOLE_WRITE, CONSOLE_PUT and the UART write to */
    CAISSON_STREAM_ERRORS = 2, /* standard error */
};

enum caisson_clock {
    CAISSON_CLOCK_TSC_HZ = 0,
    CAISSON_CLOCK_APIC_TIMER_HZ = 1,
    CAISSON_CLOCK_WALL_NS = 2,     /* nanoseconds since 1970-01-01 UTC at ... */
    CAISSON_CLOCK_WALL_TSC = 3,    /* ... this TSC value */
};

enum caisson_counter {
    CAISSON_COUNTER_EXITS = 0,     /* all exits since this generation started */
    CAISSON_COUNTER_REFUSALS = 1,  /* refused requests among them */
    CAISSON_COUNTER_GENERATION = 2 /* 1 at first start, + 1 with each restart */
};

#define CAISSON_ERROR_UNKNOWN 1   /* no such call */
#define CAISSON_ERROR_ARGUMENT 2  /* value out of range, address not in one own RAM region */
#define CAISSON_ERROR_RATE 3      /* over the caller's budget; not done */

#endif
