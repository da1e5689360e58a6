/* SPDX-License-Identifier: Apache-2.0 */
/* partitions/abi/console.h - frames on the hypervisor's serial line. Format 2.
 *
 *   RS type US number US partition US generation US payload US length US crc LF
 *
 * RS = 0x1E, US = 0x1F; number, generation and length are decimal without leading zeros. In a payload RS, US and GS (0x1D)
 * are written as GS and the byte with 0x40 flipped, so RS and US on the line are always the hypervisor's: a guest's bytes
 * can neither open nor close a frame, whatever the line loses. At most CAISSON_FRAME_MAX bytes of payload, escapes not
 * counted. `number` counts the frames of a boot from 0; `length` counts the bytes on the line from `type` to the end of
 * the payload, escapes counted; `crc` is the CRC-32C (RFC 3720) of these bytes as 8 hexadecimal digits.
 *
 * A reader takes a frame only when syntax, length and CRC are right, goes on at the next RS, and finds by the numbers which
 * frames are missing. Every lost, added or changed byte is found; none makes a frame that was not sent.
 * Partition is the plan's index from 0; the hypervisor itself is "hv". Anything between frames (firmware noise before
 * the first frame) is not Caisson's; after the first frame, a byte outside frames is an error of the line.
 * (Format 1, up to ABI 1.1, had SP after the type.)
 *
 * Types:
 *   'o'  console output of a partition, stream 1 (standard output)
 *   'r'  the same, stream 2 (standard error)
 *   'l'  a line of the hypervisor's own log (partition "hv")
 *   'a'  an audit record (partition "hv"):  key=value pairs separated by single spaces; values have no spaces
 *        first keys: event=WORD seq=N time=TSC, `overflow=N` where records were dropped before it; last keys: hash=HEX and,
 *        where the plan has an audit key, mac=HEX (hypervisor/core/audit/chain.hpp). seq counts from 0 without a hole.
 *        Events: boot (always the first), integrity, start, restart, refused, stopped, quarantined (in place of an 'x'
 *        record: partition=NAME generation=N status=137 detail=WORD), ended, note, closed (always the last), ...
 *   'x'  the end of a partition's generation. Keys, in this order:
 *        partition=NAME generation=N status=0..255 reason=exit|signal|fault|stopped detail=WORD
 *        exits=N refusals=N dropped=N started=TSC first_output=TSC|0 ended=TSC last=0|1
 *        (last=1: it will not be restarted; detail: `none`, or what the hypervisor stopped it for: npf, shutdown, msr,
 *        port, hypercall, loop, cpuid, invalid, ...)
 *   'e'  the machine's end: all partitions are done. Keys: reason=all-stopped|panic|refused action=poweroff|reboot|halt
 *   'b'  boot figures, once, before the first partition runs. Keys: entry=TSC verified=TSC ready=TSC memory_hypervisor=BYTES
 *        memory_bundle=BYTES memory_partitions=BYTES cpus=N abi=1.2 build=ID
 *   'k'  bytes of the line as memory kept them over a reset: the last frames of the machine before this one, in pieces, the
 *        first of them probably cut. They prove nothing: whatever wrote to that memory in between can have made them up.
 *   'd'  of `caisson board scan` alone: the next piece of the machine's description, JSON (docs/boards.md) */
/* One byte goes the other way: CAISSON_STOP_BYTE asks the machine to end, where the plan lets it (machine.serialStop). Every
 * partition gets its stop request (boot_page.h), nothing is restarted any more, and the machine ends as it does when all
 * partitions have ended. Other bytes mean nothing. After a byte the hypervisor does not listen for 100 ms: whoever asks
 * repeats the byte until the audit record `stop_request` is there. */
#ifndef CAISSON_ABI_CONSOLE_H
#define CAISSON_ABI_CONSOLE_H

#define CAISSON_FRAME_FORMAT 2
#define CAISSON_FRAME_START 0x1E  /* RS */
#define CAISSON_FRAME_FIELD 0x1F  /* US */
#define CAISSON_FRAME_ESCAPE 0x1D /* GS */
#define CAISSON_FRAME_FLIP 0x40   /* of the byte after GS */
#define CAISSON_FRAME_MAX 1024u
#define CAISSON_STOP_BYTE 0x03 /* ETX, what Ctrl-C types */

/* isa-debug-exit values, written only when QEMU is identified; the process's status is 2 * value + 1. */
#define CAISSON_DEBUG_EXIT_PORT 0xF4u
#define CAISSON_DEBUG_EXIT_ALL_STOPPED 0x10u /* 33 */
#define CAISSON_DEBUG_EXIT_REFUSED 0x11u     /* 35 */
#define CAISSON_DEBUG_EXIT_PANIC 0x12u       /* 37 */

#endif
