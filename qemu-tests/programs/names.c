/* SPDX-License-Identifier: Apache-2.0 */
/* names.c - a name server that knows one name: `names NAME A.B.C.D` answers whoever asks for its IPv4 address at port 53, says that
 * no other name exists, and prints each name that was asked for (RFC 1035). */
#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

enum { HEAD = 12, ANSWER = 16, MOST = 512 };

/* The question's name with dots; where its type stands, or 0. */
static size_t name_of(const unsigned char* bytes, size_t count, char* name) {
    size_t at = HEAD, length = 0;
    while (at < count && bytes[at] != 0) {
        const size_t label = bytes[at];
        if (label > 63 || at + 1 + label >= count)
            return 0;
        if (length != 0)
            name[length++] = '.';
        memcpy(name + length, bytes + at + 1, label);
        length += label;
        at += 1 + label;
    }
    name[length] = 0;
    return at + 5 <= count ? at + 1 : 0;
}

int main(int argc, char** argv) {
    struct in_addr address;
    if (argc != 3 || inet_pton(AF_INET, argv[2], &address) != 1)
        return 2;
    const int fd = socket(AF_INET, SOCK_DGRAM, 0);
    const struct sockaddr_in here = {.sin_family = AF_INET, .sin_port = htons(53)};
    if (fd < 0 || bind(fd, (const struct sockaddr*)&here, sizeof here) != 0)
        return 1;
    for (;;) {
        unsigned char bytes[MOST + ANSWER];
        char name[MOST];
        struct sockaddr_in from;
        socklen_t from_size = sizeof from;
        const ssize_t got = recvfrom(fd, bytes, MOST, 0, (struct sockaddr*)&from, &from_size);
        const size_t type = got > HEAD ? name_of(bytes, (size_t)got, name) : 0;
        if (type == 0)
            continue;
        printf("asked for %s\n", name);
        fflush(stdout);
        const int known = strcasecmp(name, argv[1]) == 0, is_ipv4 = bytes[type] == 0 && bytes[type + 1] == 1;
        size_t size = type + 4;
        memset(bytes + 6, 0, 6); /* answers, authorities, additional records: none */
        bytes[2] = 0x85;         /* an answer, from who knows; recursion was asked for */
        bytes[3] = known ? 0x80 : 0x83;
        if (known && is_ipv4) {
            static const unsigned char record[12] = {0xC0, HEAD, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4};
            bytes[7] = 1;
            memcpy(bytes + size, record, sizeof record);
            memcpy(bytes + size + sizeof record, &address, 4);
            size += ANSWER;
        }
        (void)sendto(fd, bytes, size, 0, (const struct sockaddr*)&from, from_size);
    }
}
