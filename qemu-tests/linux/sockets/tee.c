/* SPDX-License-Identifier: Apache-2.0 */
/* tee: what is in one pipe lies in another, too, and stays in both. */
#include "qemu-tests/linux/sockets/sockets.h"

static void show(const char* what, int from) {
    char text[100];
    const ssize_t got = read(from, text, sizeof text - 1);
    text[got > 0 ? got : 0] = 0;
    printf("%s: %ld \"%s\"\n", what, (long)got, text);
}
static int ends[4];
static void* later(void* argument) {
    (void)argument;
    sleep_ms(20);
    write(ends[1], "late", 4);
    return 0;
}
static long made_room; // said after the join: who of the two is first to print is chance
static void* reader(void* argument) {
    static char block[65536];
    (void)argument;
    sleep_ms(20);
    made_room = (long)read(ends[2], block, sizeof block);
    return 0;
}

int main(void) {
    TITLE("errors");
    signal(SIGPIPE, SIG_IGN);
    pipe(ends);
    pipe(ends + 2);
    const int file = open("/etc/data", O_RDONLY);
    CALL(tee(ends[0], ends[3], 10, 16));
    CALL(tee(ends[0], ends[3], 0, 0));
    CALL(tee(99, ends[3], 10, 0));
    CALL(tee(ends[1], ends[3], 10, 0));
    CALL(tee(ends[0], ends[2], 10, 0));
    CALL(tee(file, ends[3], 10, 0));
    CALL(tee(ends[0], file, 10, 0));
    CALL(tee(ends[0], ends[1], 10, 0));
    CALL(tee(ends[0], ends[3], 10, SPLICE_F_NONBLOCK));
    TITLE("shared bytes");
    write(ends[1], "one ", 4);
    CALL(tee(ends[0], ends[3], 100, 0));
    CALL(tee(ends[0], ends[3], 2, 0));
    write(ends[1], "two ", 4);
    write(ends[3], "own ", 4);
    CALL(tee(ends[0], ends[3], 6, 0));
    write(ends[1], "three", 5);
    show("the first", ends[0]);
    show("the second", ends[2]);
    TITLE("waits");
    pthread_t thread;
    pthread_create(&thread, 0, later, 0);
    CALL(tee(ends[0], ends[3], 100, 0));
    pthread_join(thread, 0);
    show("the first", ends[0]);
    show("the second", ends[2]);
    static char block[65536];
    CALL(write(ends[1], block, 65536));
    CALL(tee(ends[0], ends[3], 100000, 0));
    CALL(tee(ends[0], ends[3], 100000, SPLICE_F_NONBLOCK));
    fcntl(ends[3], F_SETFL, O_NONBLOCK);
    CALL(tee(ends[0], ends[3], 100000, 0));
    fcntl(ends[3], F_SETFL, 0);
    pthread_create(&thread, 0, reader, 0);
    CALL(tee(ends[0], ends[3], 5000, 0));
    pthread_join(thread, 0);
    printf("made room: %ld\n", made_room);
    VALUE(read(ends[2], block, sizeof block));
    TITLE("ends");
    close(ends[1]);
    CALL(read(ends[0], block, sizeof block));
    CALL(tee(ends[0], ends[3], 10, 0));
    pipe(ends);
    write(ends[1], "x", 1);
    close(ends[2]);
    CALL(tee(ends[0], ends[3], 10, 0));
    return 0;
}
