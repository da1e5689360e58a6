// SPDX-License-Identifier: Apache-2.0
// Waits to be stopped. `handles`: SIGTERM and SIGQUIT have handlers; `awaits`: SIGTERM is blocked and waited for, as an init does;
// `careless`: nothing is done about it, which makes PID 1 deaf to it.
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static volatile sig_atomic_t caught;
static volatile pid_t sender = -1;

static void handler(int number, siginfo_t* information, void* context) {
    (void)context;
    caught = number;
    sender = information->si_pid;
}

int main(int count, char** words) {
    const char* mode = count > 1 ? words[1] : "";
    setvbuf(stdout, NULL, _IONBF, 0);
    sigset_t awaited;
    sigemptyset(&awaited);
    sigaddset(&awaited, SIGTERM);
    if (strcmp(mode, "handles") == 0) {
        struct sigaction action = {.sa_sigaction = handler, .sa_flags = SA_SIGINFO};
        sigaction(SIGTERM, &action, NULL);
        sigaction(SIGQUIT, &action, NULL);
    } else if (strcmp(mode, "awaits") == 0) {
        sigprocmask(SIG_BLOCK, &awaited, NULL);
    }
    puts("stops: ready");
    if (strcmp(mode, "awaits") == 0) {
        siginfo_t information;
        const int number = sigwaitinfo(&awaited, &information);
        printf("stops: awaited signal %d from %d\n", number, (int)information.si_pid);
        return 6;
    }
    const int result = pause();
    printf("stops: signal %d from %d, pause %d %s\n", (int)caught, (int)sender, result, strerror(errno));
    return 5;
}
