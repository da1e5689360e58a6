/* SPDX-License-Identifier: Apache-2.0 */
/* Eight threads of an ordinary dynamically linked program add up 1..8,000,000 between them. */
#include <pthread.h>
#include <stdio.h>

enum { threads = 8, share = 1000000 };

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static unsigned long long total;

static void *add(void *argument) {
    unsigned long long first = (unsigned long long)(*(int *)argument) * share + 1, sum = 0;
    for (unsigned long long i = first; i < first + share; i++)
        sum += i;
    pthread_mutex_lock(&lock);
    total += sum;
    pthread_mutex_unlock(&lock);
    return NULL;
}

int main(void) {
    pthread_t thread[threads];
    int number[threads];
    for (int i = 0; i < threads; i++) {
        number[i] = i;
        if (pthread_create(&thread[i], NULL, add, &number[i]) != 0) {
            perror("pthread_create");
            return 1;
        }
    }
    for (int i = 0; i < threads; i++)
        pthread_join(thread[i], NULL);
    unsigned long long n = (unsigned long long)threads * share;
    printf("%d threads: 1 + ... + %llu = %llu\n", threads, n, total);
    return total == n * (n + 1) / 2 ? 0 : 1;
}
