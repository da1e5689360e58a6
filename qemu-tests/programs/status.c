/* SPDX-License-Identifier: Apache-2.0 */
/* qemu-tests/programs/status.c - ends as its argument says: a number, or the name of a way to die. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static volatile int* volatile low_address = (volatile int*)8;

int main(int argc, char** argv) {
    const char* way = argc > 1 ? argv[1] : "0";
    if (strcmp(way, "segv") == 0)
        *low_address = 1;
    if (strcmp(way, "abort") == 0)
        abort();
    if (strcmp(way, "kill") == 0)
        kill(getpid(), SIGKILL);
    if (strcmp(way, "term") == 0)
        raise(SIGTERM);
    if (strcmp(way, "trap") == 0)
        __builtin_trap();
    return atoi(way);
}
