/* SPDX-License-Identifier: Apache-2.0 */
/* qemu-tests/linux/process/proc_files.c - Files of /proc, /sys and /dev that programs read: what they hold as far as it is the same everywhere. */
#include "qemu-tests/linux/check.h"
#include <dirent.h>
static char text[65536];
static const char* slurp(const char* path) {
    int f = open(path, O_RDONLY);
    memset(text, 0, sizeof text);
    if (f < 0)
        return ename(errno);
    long got = 0, more;
    while ((more = read(f, text + got, sizeof text - 1 - got)) > 0)
        got += more;
    close(f);
    return more < 0 ? ename(errno) : text;
}
static void put(const char* path, const char* what) {
    int f = open(path, O_WRONLY);
    if (f < 0) {
        printf("write %s: open %s\n", path, ename(errno));
        return;
    }
    errno = 0;
    long got = write(f, what, strlen(what));
    printf("write %s -> %s\n", path, got < 0 ? ename(errno) : "ok");
    close(f);
}
static void names(const char* path, const char* prefix) { // the first words of lines
    char* s = (char*)slurp(path);
    printf("%s:", path);
    for (char* l = strtok(s, "\n"); l; l = strtok(0, "\n"))
        if (!prefix || strstr(prefix, strndup(l, strcspn(l, ": \t"))))
            printf(" %.*s", (int)strcspn(l, ": \t"), l);
    printf("\n");
}
static void mode(const char* path) {
    struct stat s;
    if (lstat(path, &s))
        printf("%s: %s\n", path, ename(errno));
    else
        printf("%s: mode %o\n", path, s.st_mode);
}
static long command_line(char* text) {
    int f = open("/proc/self/cmdline", O_RDONLY);
    const long length = read(f, text, 8000);
    close(f);
    return length;
}

/* A program that writes over its arguments, beyond them into the environment, and back. */
static void own_title(int argc, char** argv) {
    static char text[8000];
    char* end = argv[argc - 1] + strlen(argv[argc - 1]); /* the last NUL */
    const long all = end + 1 - argv[0];
    VALUE(command_line(text) == all && !memcmp(text, argv[0], all));
    *end = '!';
    VALUE(command_line(text) == (long)strlen(argv[0]) + 1 && command_line(text) > all && !strcmp(text, argv[0]));
    strcpy(argv[0], "title");
    VALUE(command_line(text));
    TEXT(text);
    memset(argv[0], 't', all + 5);
    argv[0][all + 5] = 0;
    VALUE(command_line(text) == all + 6);
    *end = 0;
    VALUE(command_line(text) == all);
}

int main(int argc, char** argv) {
    TITLE("a title of its own");
    own_title(argc, argv);
    TITLE("names of the program");
    TEXT(slurp("/proc/self/comm"));
    put("/proc/self/comm", "another");
    TEXT(slurp("/proc/self/comm"));
    char name[16];
    prctl(PR_GET_NAME, name);
    TEXT(name);
    put("/proc/self/comm", "a name that is too long");
    TEXT(slurp("/proc/self/comm"));
    put("/proc/thread-self/comm", "thread");
    TEXT(slurp("/proc/self/comm"));
    TITLE("oom_score_adj");
    put("/proc/self/oom_score_adj", "500");
    TEXT(slurp("/proc/self/oom_score_adj"));
    put("/proc/self/oom_score_adj", "-5\n");
    TEXT(slurp("/proc/self/oom_score_adj"));
    put("/proc/self/oom_score_adj", "1001");
    put("/proc/self/oom_score_adj", "x");
    put("/proc/self/oom_score_adj", "0");
    TITLE("what is open");
    int f = open("/etc/data", O_RDONLY | O_CLOEXEC);
    lseek(f, 77, SEEK_SET);
    dup2(f, 9);
    names("/proc/self/fdinfo/9", 0);
    slurp("/proc/self/fdinfo/9");
    printf("%.*s\n", (int)(strstr(text, "mnt_id") - text), text);
    int e = eventfd(3, 0);
    dup2(e, 10);
    slurp("/proc/self/fdinfo/10");
    printf("%.*s\n", (int)strcspn(strstr(text, "eventfd-count") ?: "none", "\n"), strstr(text, "eventfd-count") ?: "none");
    TEXT(slurp("/proc/self/fdinfo/77"));
    DIR* d = opendir("/proc/self/fdinfo");
    int count = 0;
    for (struct dirent* x; d && (x = readdir(d));)
        count += x->d_name[0] != '.';
    VALUE(count);
    names("/proc/self/io", 0);
    names("/proc/self/smaps_rollup", "Rss Pss Private_Clean Private_Dirty Swap Locked");
    VALUE(strstr(slurp("/proc/self/smaps_rollup"), "[rollup]") != 0);
    TITLE("memory");
    int m = open("/proc/self/mem", O_RDWR);
    long value = 4711, got = 0;
    CALL(pread(m, &got, 8, (off_t)(long)&value));
    VALUE(got);
    CALL(pwrite(m, &m, 4, (off_t)(long)&value));
    VALUE((int)value == m);
    CALL(pread(m, &got, 8, 16));
    TITLE("values");
    TEXT(slurp("/proc/sys/kernel/ostype"));
    TEXT(slurp("/proc/sys/kernel/ngroups_max"));
    TEXT(slurp("/proc/sys/kernel/overflowuid"));
    TEXT(slurp("/proc/sys/kernel/cap_last_cap"));
    TEXT(slurp("/proc/sys/fs/nr_open"));
    TEXT(slurp("/proc/sys/fs/pipe-max-size"));
    TEXT(slurp("/proc/sys/fs/inotify/max_queued_events"));
    VALUE(strlen(slurp("/proc/sys/kernel/random/boot_id")));
    VALUE(strlen(slurp("/proc/sys/kernel/random/uuid")));
    VALUE(strstr(slurp("/proc/filesystems"), "nodev\ttmpfs\n") != 0);
    VALUE(strstr(slurp("/proc/mounts"), " /proc proc ") != 0);
    VALUE(strstr(slurp("/proc/self/mountinfo"), " - proc proc ") != 0);
    TEXT(slurp("/proc/self/setgroups"));
    TITLE("modes");
    mode("/proc/self/maps");
    mode("/proc/self/mem");
    mode("/proc/self/environ");
    mode("/proc/self/comm");
    mode("/proc/self/fdinfo");
    mode("/proc/self/io");
    mode("/proc/self/oom_score_adj");
    mode("/proc/self/task");
    mode("/proc/self/fd");
    mode("/proc/mounts");
    mode("/dev/null");
    mode("/dev/full");
    mode("/dev/shm");
    TITLE("devices");
    char b[64];
    int n = open("/dev/null", O_RDWR), z = open("/dev/zero", O_RDWR), l = open("/dev/full", O_RDWR), r = open("/dev/urandom", O_RDWR);
    CALL(read(n, b, 10));
    CALL(write(n, b, 10));
    b[0] = 1;
    CALL(read(z, b, 10));
    VALUE(b[0]);
    CALL(write(z, b, 10));
    CALL(read(l, b, 10));
    CALL(write(l, b, 10));
    CALL(read(r, b, 64));
    CALL(write(r, b, 10));
    CALL(lseek(n, 5, SEEK_SET));
    CALL(lseek(z, 0, SEEK_END));
    CALL(pread(z, b, 4, 100));
    CALL(ioctl(n, TCGETS, b));
    CALL(fsync(n));
    CALL(ftruncate(n, 0));
    CALL(open("/dev/tty", O_RDWR));
    VALUE(mmap(0, 4096, PROT_READ, MAP_PRIVATE, n, 0) == MAP_FAILED);
    char* a = mmap(0, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE, z, 0);
    ACCESS(WRITE(a, 5));
    return 0;
}
