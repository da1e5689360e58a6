/* SPDX-License-Identifier: Apache-2.0 */
/* qemu-tests/programs/hello.c - arguments, environment, stdio, floating point. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

int main(int argc, char** argv) {
    const char* mode = getenv("MODE");
    char directory[256];
    volatile double two = 2;
    printf("hello from a container: argc=%d mode=%s sqrt2=%.12f\n", argc, mode != NULL ? mode : "-",
           sqrt(two));
    for (int i = 1; i < argc; ++i)
        printf("argument %d: %s\n", i, argv[i]);
    printf("in %s as %u:%u\n", getcwd(directory, sizeof directory), (unsigned)getuid(), (unsigned)getgid());
    fflush(stdout);
    fprintf(stderr, "and this is stderr\n");
    return argc > 1 && argv[1][0] == '4' ? 42 : 0;
}
