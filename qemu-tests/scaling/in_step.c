// SPDX-License-Identifier: Apache-2.0
// qemu-tests/scaling/in_step.c - a plugin of QEMU's TCG: what a program takes on several CPUs, in instructions, as if they ran at once.
//
// QEMU runs one CPU after the other. Each has a clock that counts its instructions; since in a machine they would run at once, whoever is
// `step` instructions ahead of another one gives its turn up, so that the clocks go forward side by side. Who was halted, or waited for a
// lock (PAUSE), goes on at the latest of all clocks. The time of a program is the latest clock where it ends. While all are halted no time
// passes.
//
// The program says where to begin and where to end by NOPs that no compiler writes (marks.h). QEMU: one thread and icount, so that a run
// repeats, and -plugin in_step.so,out=FILE. A line of FILE for each pair of marks:
//     NUMBER TIME INSTRUCTIONS-OF-CPU-0 ...
// The declarations are those of QEMU's plugin interface, version 4 (QEMU 9.2 and later): only what is used.
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "qemu-tests/scaling/marks.h"

#define EXPORT __attribute__((visibility("default")))

typedef uint64_t plugin_id;
struct qemu_plugin_tb;
struct qemu_plugin_insn;
struct info {
    const char* target;
    struct {
        int least, current;
    } version;
    bool system;
    int cpus, most_cpus;
};
typedef void (*on_block)(plugin_id, struct qemu_plugin_tb*);
typedef void (*on_run)(unsigned cpu, void* data);
enum { no_registers = 0 };

void qemu_plugin_register_vcpu_tb_trans_cb(plugin_id, on_block);
void qemu_plugin_register_vcpu_tb_exec_cb(struct qemu_plugin_tb*, on_run, int registers, void* data);
void qemu_plugin_register_vcpu_insn_exec_cb(struct qemu_plugin_insn*, on_run, int registers, void* data);
const void* qemu_plugin_request_time_control(void);
void qemu_plugin_update_ns(const void* control, int64_t now);
size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb*);
struct qemu_plugin_insn* qemu_plugin_tb_get_insn(const struct qemu_plugin_tb*, size_t number);
size_t qemu_plugin_insn_data(const struct qemu_plugin_insn*, void* to, size_t most);

EXPORT int qemu_plugin_version = 4;

enum { most_cpus = 64, step = 60 };
// All CPUs are run by one thread.
static uint64_t done[most_cpus], clocks[most_cpus], latest;
static bool rests[most_cpus];
static uint64_t turn_ends; // by the clock of who runs
static int runs, number, cpu_count; // number 0: nothing is measured
static const void* control;
static FILE* out;

// Until where a CPU may run now. Where all others rest, others have to be looked at too: one may have been woken.
static uint64_t end_of_turn(int cpu) {
    uint64_t least = clocks[cpu];
    bool alone = true;
    for (int i = 0; i < cpu_count; ++i) {
        if (i == cpu || rests[i])
            continue;
        if (alone || clocks[i] < least)
            least = clocks[i];
        alone = false;
    }
    return least + step;
}

// A word to the CPU's thread ends its turn, here one that changes nothing: the clock is far beyond 0.
static void give_up_turn(void) {
    qemu_plugin_update_ns(control, 0);
}

// The number that QEMU tells is the one of the CPU for which the block was translated, where one thread runs all of them (10.0). The code
// that calls has the address of the CPU's state in RBP (TCG_AREG0), other than any other's; CPUs run for the first time in their order.
static int index_of(const void* state) {
    static const void* states[most_cpus];
    static int known, found;
    if (known != 0 && states[found] == state)
        return found;
    for (found = 0; found < known; ++found)
        if (states[found] == state)
            return found;
    if (known == cpu_count) {
        fprintf(stderr, "in_step: RBP is not the CPU's\n");
        exit(1);
    }
    states[known] = state;
    return known++;
}

__attribute__((used)) static void block_runs_on(unsigned told, void* count, const void* state) {
    (void)told;
    const int cpu = index_of(state);
    const bool begins = cpu != runs || rests[cpu];
    runs = cpu;
    if (number == 0)
        return;
    if (rests[cpu])
        clocks[cpu] = latest;
    rests[cpu] = false;
    if (begins)
        turn_ends = end_of_turn(cpu);
    done[cpu] += (uintptr_t)count;
    clocks[cpu] += (uintptr_t)count;
    if (clocks[cpu] > latest)
        latest = clocks[cpu];
    if (clocks[cpu] >= turn_ends) {
        turn_ends = end_of_turn(cpu); // where no other can run
        give_up_turn();
    }
}

void block_runs(unsigned cpu, void* count);
__asm__("block_runs: movq %rbp, %rdx\n jmp block_runs_on\n");

static void rest(unsigned told, void* data) {
    (void)told, (void)data;
    rests[runs] = true;
}

static void marked(unsigned told, void* mark) {
    (void)told;
    if (number != 0) {
        fprintf(out, "%d %lu", number, latest);
        for (int i = 0; i < cpu_count; ++i)
            fprintf(out, " %lu", done[i]);
        fprintf(out, "\n");
        fflush(out);
    }
    number = (int)(uintptr_t)mark;
    latest = 0;
    for (int i = 0; i < cpu_count; ++i) {
        done[i] = clocks[i] = 0;
        rests[i] = i != runs;
    }
}

static void translated(plugin_id id, struct qemu_plugin_tb* block) {
    (void)id;
    const size_t count = qemu_plugin_tb_n_insns(block);
    qemu_plugin_register_vcpu_tb_exec_cb(block, block_runs, no_registers, (void*)count); // a number
    for (size_t i = 0; i < count; ++i) {
        static const unsigned char nop[] = {0x0F, 0x1F, 0x80}, hlt[] = {0xF4}, pause[] = {0xF3, 0x90};
        struct qemu_plugin_insn* one = qemu_plugin_tb_get_insn(block, i);
        unsigned char bytes[16] = {0};
        const size_t size = qemu_plugin_insn_data(one, bytes, sizeof(bytes));
        uint32_t mark;
        memcpy(&mark, bytes + sizeof(nop), sizeof(mark));
        if (size == sizeof(nop) + sizeof(mark) && memcmp(bytes, nop, sizeof(nop)) == 0 && mark >> 8 == MARK >> 8)
            qemu_plugin_register_vcpu_insn_exec_cb(one, marked, no_registers, (void*)(uintptr_t)(mark & 0xFF));
        else if ((size == sizeof(hlt) && memcmp(bytes, hlt, size) == 0) || (size == sizeof(pause) && memcmp(bytes, pause, size) == 0))
            qemu_plugin_register_vcpu_insn_exec_cb(one, rest, no_registers, NULL);
    }
}

EXPORT int qemu_plugin_install(plugin_id id, const struct info* info, int argc, char** argv) {
    if (argc == 1 && strncmp(argv[0], "out=", 4) == 0)
        out = fopen(argv[0] + 4, "w");
    if (!out || !info->system || info->most_cpus > most_cpus) {
        fprintf(stderr, "in_step: needs out=FILE, a whole machine and at most %d CPUs\n", most_cpus);
        return 1;
    }
    cpu_count = info->most_cpus;
    control = qemu_plugin_request_time_control();
    qemu_plugin_register_vcpu_tb_trans_cb(id, translated);
    return 0;
}
