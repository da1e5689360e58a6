/* SPDX-License-Identifier: Apache-2.0 */
/* soak.c - load for a long time, by clients of whom many die in mid-request.
 *
 * soak echo PORT            what comes on a connection goes back, a process for each; never ends
 * soak free PORT            who connects is told how many KiB are free in this machine; never ends
 * soak load HOST ROUNDS OPERATIONS SEED
 *     HOST has a web server on 80 and on 81 (the latter's machine ends now and then), redis on 6379, `soak echo` on 7 beside the first,
 *     `soak free` on 82 beside the web server and on 83 beside redis. In each round some workers do so many operations each, while one
 *     connection to the echo goes on from the first round to the last. After a round all is quiet, and what is free is asked for.
 * It fails (1) where a byte was lost or changed, where an operation did not end, or where the memory at rest became less. */
#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { WORKERS = 6, PAGE_BYTES = 100000, BLOCK = 4096, PATIENCE_S = 40, WARM_ROUNDS = 2, MOST_LOST_KIB = 256 };
enum { WEB = 80, FLAKY = 81, WEB_FREE = 82, REDIS_FREE = 83, ECHO = 7, REDIS = 6379 };

struct counts {
    unsigned pages, cut, killed, values, flaky, flaky_failed, outlived, wrong, stuck;
    unsigned long steady_bytes;
    int over; /* the steady connection is to end */
};
static struct counts* all; /* shared by every process */
static struct in_addr host;

static uint32_t next_number(uint32_t* state) { /* xorshift */
    *state ^= *state << 13;
    *state ^= *state >> 17;
    *state ^= *state << 5;
    return *state;
}
static unsigned seconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (unsigned)now.tv_sec;
}
static void add(unsigned* count) { __atomic_add_fetch(count, 1, __ATOMIC_RELAXED); }
static void tell_wrong(const char* what, long got, long expected) {
    printf("WRONG: %s: %ld, not %ld (%s)\n", what, got, expected, strerror(errno));
    fflush(stdout);
    add(&all->wrong);
}

static int connect_to(int port) {
    const int fd = socket(AF_INET, SOCK_STREAM, 0);
    const struct sockaddr_in there = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr = host};
    const struct timeval patience = {.tv_sec = PATIENCE_S};
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
    if (fd >= 0 && connect(fd, (const struct sockaddr*)&there, sizeof there) == 0)
        return fd;
    const int why = errno;
    close(fd);
    errno = why;
    return -1;
}
static int write_all(int fd, const void* bytes, size_t count) {
    const char* at = bytes;
    while (count != 0) {
        const ssize_t went = send(fd, at, count, MSG_NOSIGNAL);
        if (went <= 0)
            return -1;
        at += went;
        count -= (size_t)went;
    }
    return 0;
}
static int read_all(int fd, void* bytes, size_t count) {
    char* at = bytes;
    while (count != 0) {
        const ssize_t got = recv(fd, at, count, 0);
        if (got <= 0)
            return -1;
        at += got;
        count -= (size_t)got;
    }
    return 0;
}
static void close_hard(int fd) { /* a reset, as of a client that is gone */
    const struct linger now = {.l_onoff = 1};
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
    close(fd);
}

/* ---- Operations. Each has a connection of its own. */

/* Bytes of the page that came, of at most `most`; -1: not even an answer. The page is PAGE_BYTES of 'x'. */
static long fetch(int port, long most, int* changed) {
    static const char request[] = "GET /page HTTP/1.0\r\nHost: soak\r\n\r\n";
    const int fd = connect_to(port);
    if (fd < 0)
        return -1;
    char bytes[BLOCK];
    long page = -1, head = 0;
    uint32_t last = 0;
    ssize_t got = -1;
    if (write_all(fd, request, sizeof request - 1) == 0)
        while ((got = recv(fd, bytes, sizeof bytes, 0)) > 0 && page < most)
            for (ssize_t i = 0; i < got; ++i) {
                if (page >= 0) {
                    *changed |= bytes[i] != 'x';
                    ++page;
                    continue;
                }
                last = last << 8 | (unsigned char)bytes[i];
                if (++head >= 4 && last == 0x0D0A0D0A)
                    page = 0;
            }
    const int why = got < 0 ? errno : 0;
    if (page >= most)
        close_hard(fd);
    else
        close(fd);
    errno = why;
    return page;
}

static void whole_page(void) {
    int changed = 0;
    const long got = fetch(WEB, PAGE_BYTES + 1, &changed);
    if (got != PAGE_BYTES || changed)
        tell_wrong(changed ? "bytes of a page changed" : "bytes of a page", got, PAGE_BYTES);
    add(&all->pages);
}
static void cut_page(uint32_t* state) {
    int changed = 0;
    const long most = 1 + (long)(next_number(state) % (PAGE_BYTES - BLOCK)), got = fetch(WEB, most, &changed);
    if (got < most || changed)
        tell_wrong("bytes of a part", got, most);
    add(&all->cut);
}
static void killed_client(uint32_t* state) {
    const useconds_t time = next_number(state) % 20000;
    const pid_t client = fork();
    if (client == 0) {
        int changed;
        (void)fetch(WEB, PAGE_BYTES + 1, &changed);
        _exit(0);
    }
    usleep(time);
    kill(client, SIGKILL);
    waitpid(client, NULL, 0);
    add(&all->killed);
}
/* Whoever ends in the middle of it is expected to; what comes is right or cut. */
static void flaky_page(void) {
    int changed = 0;
    const long got = fetch(FLAKY, PAGE_BYTES + 1, &changed);
    if (changed || got > PAGE_BYTES)
        tell_wrong("bytes of a page of one that ends", got, PAGE_BYTES);
    if (got != PAGE_BYTES)
        add(&all->flaky_failed);
    add(&all->flaky);
    if (got != PAGE_BYTES)
        usleep(100000);
}
/* A connection that outlives the machine at its other end: whoever speaks on it is told so. */
static void outlive(void) {
    enum { LONGER_THAN_A_LIFE_S = 4 };
    char byte;
    const int fd = connect_to(FLAKY);
    if (fd >= 0) {
        sleep(LONGER_THAN_A_LIFE_S);
        const int spoke = write_all(fd, "GET /page HTTP/1.0\r\n\r\n", 22);
        if (spoke == 0 && (recv(fd, &byte, 1, 0) >= 0 || errno != ECONNRESET))
            tell_wrong("a connection to a machine that began anew: errno", errno, ECONNRESET);
        close(fd);
    }
    add(&all->outlived);
}
static void value_of_redis(uint32_t* state, unsigned worker) {
    char said[BLOCK + 256], value[BLOCK + 1], key[32], expected[BLOCK + 64];
    const unsigned length = 1 + next_number(state) % BLOCK;
    for (unsigned i = 0; i < length; ++i)
        value[i] = (char)('a' + next_number(state) % 26);
    value[length] = 0;
    const int key_length = snprintf(key, sizeof key, "key%u.%u", worker, next_number(state) % 4);
    int count = snprintf(said, sizeof said, "*3\r\n$3\r\nSET\r\n$%d\r\n%s\r\n$%u\r\n%s\r\n", key_length, key, length, value);
    const int fd = connect_to(REDIS);
    int good = fd >= 0 && write_all(fd, said, (size_t)count) == 0 && read_all(fd, said, 5) == 0 && memcmp(said, "+OK\r\n", 5) == 0;
    count = snprintf(said, sizeof said, "*2\r\n$3\r\nGET\r\n$%d\r\n%s\r\n", key_length, key);
    good = good && write_all(fd, said, (size_t)count) == 0;
    count = snprintf(expected, sizeof expected, "$%u\r\n%s\r\n", length, value);
    good = good && read_all(fd, said, (size_t)count) == 0 && memcmp(said, expected, (size_t)count) == 0;
    if (!good)
        tell_wrong("a value of redis, of so many bytes", -1, (long)length);
    if (fd >= 0)
        close(fd);
    add(&all->values);
}

static void work(unsigned worker, unsigned operations, uint32_t state) {
    for (unsigned i = 0; i < operations; ++i) {
        const unsigned begun = seconds();
        switch (next_number(&state) % 9) {
        case 0:
        case 1:
            whole_page();
            break;
        case 2:
        case 3:
            cut_page(&state);
            break;
        case 4:
            killed_client(&state);
            break;
        case 5:
            flaky_page();
            break;
        case 6:
            outlive();
            break;
        default:
            value_of_redis(&state, worker);
            break;
        }
        if (seconds() - begun >= PATIENCE_S)
            add(&all->stuck);
    }
}

/* One connection; what is sent comes back, all of it. */
static void stay(uint32_t state) {
    const int fd = connect_to(ECHO);
    unsigned char out[2 * BLOCK], in[2 * BLOCK];
    while (!__atomic_load_n(&all->over, __ATOMIC_RELAXED)) {
        const size_t count = 1 + next_number(&state) % sizeof out;
        for (size_t i = 0; i < count; ++i)
            out[i] = (unsigned char)next_number(&state);
        if (fd < 0 || write_all(fd, out, count) != 0 || read_all(fd, in, count) != 0 || memcmp(in, out, count) != 0) {
            tell_wrong("the connection that stays, after so many bytes", (long)all->steady_bytes, -1);
            break;
        }
        all->steady_bytes += count;
        usleep(20000);
    }
    close(fd);
}

/* ---- Servers */

static int listen_on(int port) {
    const int fd = socket(AF_INET, SOCK_STREAM, 0), on = 1;
    const struct sockaddr_in here = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (fd < 0 || bind(fd, (const struct sockaddr*)&here, sizeof here) != 0 || listen(fd, 16) != 0) {
        perror("listen");
        exit(1);
    }
    return fd;
}
static void echo(int fd) {
    char bytes[BLOCK];
    ssize_t got;
    while ((got = recv(fd, bytes, sizeof bytes, 0)) > 0)
        if (write_all(fd, bytes, (size_t)got) != 0)
            break;
}
static long free_kib(void) {
    char line[128];
    long free = -1;
    FILE* const file = fopen("/proc/meminfo", "r");
    while (file != NULL && free < 0 && fgets(line, sizeof line, file) != NULL)
        (void)sscanf(line, "MemFree: %ld", &free);
    if (file != NULL)
        fclose(file);
    return free;
}
static void say_free(int fd) {
    char text[32];
    const int count = snprintf(text, sizeof text, "%ld\n", free_kib());
    (void)write_all(fd, text, (size_t)count);
}
static int serve(int port, void (*answer)(int)) {
    signal(SIGCHLD, SIG_IGN); /* nobody waits for them */
    const int listener = listen_on(port);
    for (;;) {
        const int fd = accept(listener, NULL, NULL);
        if (fd < 0)
            continue;
        if (fork() == 0) {
            close(listener);
            answer(fd);
            _exit(0);
        }
        close(fd);
    }
}

/* ---- */

static long ask_free(int port) {
    char text[32] = "";
    const int fd = connect_to(port);
    if (fd >= 0 && recv(fd, text, sizeof text - 1, 0) > 0) {
        close(fd);
        return atol(text);
    }
    return -1;
}
/* All that is closing has closed, and what servers keep for a while is given back. */
static long free_at_rest(int port) {
    long best = -1;
    for (unsigned i = 0; i < 20; ++i) {
        sleep(1);
        const long now = ask_free(port);
        if (now > best)
            best = now;
    }
    return best;
}
static int wait_for_servers(void) {
    static const int ports[] = {WEB, FLAKY, REDIS, ECHO, WEB_FREE, REDIS_FREE};
    for (unsigned i = 0; i < sizeof ports / sizeof ports[0]; ++i) {
        int fd;
        while ((fd = connect_to(ports[i])) < 0) {
            if (seconds() > PATIENCE_S) { /* of this machine's life */
                tell_wrong("nobody answers at the port", ports[i], -1);
                return 1;
            }
            usleep(200000);
        }
        close(fd);
    }
    return 0;
}

static int load(unsigned rounds, unsigned operations, uint32_t seed) {
    long web = 0, redis = 0;
    if (wait_for_servers() != 0)
        return 1;
    const pid_t steady = fork();
    if (steady == 0) {
        stay(seed ^ 0x5EED);
        _exit(0);
    }
    for (unsigned round = 1; round <= rounds; ++round) {
        for (unsigned worker = 0; worker < WORKERS; ++worker)
            if (fork() == 0) {
                work(worker, operations, seed + round * 1000 + worker * 7 + 1);
                _exit(0);
            }
        for (unsigned worker = 0; worker < WORKERS; ++worker)
            while (waitpid(-1, NULL, 0) == steady)
                tell_wrong("the connection that stays ended in round", (long)round, 0);
        const long web_now = free_at_rest(WEB_FREE), redis_now = free_at_rest(REDIS_FREE);
        printf("round %u: free at rest: web %ld KiB, redis %ld KiB; steady %lu bytes\n", round, web_now, redis_now, all->steady_bytes);
        fflush(stdout);
        if (round <= WARM_ROUNDS) { /* keys of redis, buffers of each worker */
            web = web_now;
            redis = redis_now;
        }
        if (web_now < web - MOST_LOST_KIB)
            tell_wrong("KiB free beside the web server", web_now, web);
        if (redis_now < redis - MOST_LOST_KIB)
            tell_wrong("KiB free beside redis", redis_now, redis);
    }
    all->over = 1;
    while (wait(NULL) > 0) {
    }
    printf("pages %u, cut %u, killed %u, values %u, of one that ends %u (%u not whole), outlived %u, steady %lu bytes; stuck %u, wrong %u\n", all->pages,
           all->cut, all->killed, all->values, all->flaky, all->flaky_failed, all->outlived, all->steady_bytes, all->stuck, all->wrong);
    return all->stuck + all->wrong != 0;
}

int main(int argc, char** argv) {
    all = mmap(NULL, sizeof *all, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (argc == 3 && strcmp(argv[1], "echo") == 0)
        return serve(atoi(argv[2]), &echo);
    if (argc == 3 && strcmp(argv[1], "free") == 0)
        return serve(atoi(argv[2]), &say_free);
    if (all == MAP_FAILED || argc != 6 || strcmp(argv[1], "load") != 0 || inet_aton(argv[2], &host) == 0)
        return 2;
    return load((unsigned)atoi(argv[3]), (unsigned)atoi(argv[4]), (uint32_t)atoi(argv[5]) | 1);
}
