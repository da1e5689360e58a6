/* SPDX-License-Identifier: Apache-2.0 */
/* examples/lanes/talk.c - two kernels of one's own that talk over a wire: `ask` sends a line, `answer` sends it back in capitals.
 * It looks again and again; a kernel that would rather sleep calls CAISSON_CALL_LANE_LISTEN and caisson_end_arm() (docs/abi.md). */
#include "boot_page.h"
#include "hypercall.h"
#include "lane.h"

static const struct caisson_boot_page *const page = (const struct caisson_boot_page *)(unsigned long)CAISSON_GPA_BOOT_PAGE;

void *memcpy(void *to, const void *from, unsigned long bytes) {
    void *const result = to;
    __asm__ volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(bytes) : : "memory");
    return result;
}

static unsigned long long call(unsigned long long number, unsigned long long first, unsigned long long second) {
    if (page->flags & CAISSON_BOOT_VMMCALL)
        __asm__ volatile("vmmcall" : "+a"(number) : "D"(first), "S"(second) : "memory");
    else
        __asm__ volatile("vmcall" : "+a"(number) : "D"(first), "S"(second) : "memory");
    return number;
}
static unsigned long long peer_state(void *link) {
    return call(CAISSON_CALL_LANE_STATE, *(unsigned int *)link, 0);
}
static void ring(void *link) {
    call(CAISSON_CALL_LANE_RING, *(unsigned int *)link, 0);
}

static struct caisson_end end;
static char packet[CAISSON_LANE_PACKET_MAX];

static unsigned int wait_for_packet(void) {
    unsigned int flags, size;
    while ((size = caisson_end_receive(&end, packet, &flags)) == 0)
        __asm__ volatile("pause");
    caisson_end_flush(&end);
    return size;
}
static void send(const char *text, unsigned int size) {
    while (!caisson_end_send(&end, text, size, 0))
        __asm__ volatile("pause");
    caisson_end_flush(&end);
}

int kernel_main(void) {
    static const char question[] = "hello over a wire\n";
    static unsigned int number = 0; /* of the link */
    unsigned int size, i;
    if (page->link_count != 1)
        return 1;
    end.send = (struct caisson_lane *)(unsigned long)page->links[0].send_gpa;
    end.receive = (const struct caisson_lane *)(unsigned long)page->links[0].receive_gpa;
    end.ring_bytes = page->links[0].lane_bytes - CAISSON_LANE_HEADER_BYTES;
    end.life = page->generation;
    end.peer_state = peer_state;
    end.ring = ring;
    end.context = &number;
    caisson_end_open(&end);
    if (page->partition_name[1] == 's') { /* "ask" */
        send(question, sizeof question - 1);
        size = wait_for_packet();
        call(CAISSON_CALL_CONSOLE_WRITE, (unsigned long)packet, size);
        return 0;
    }
    size = wait_for_packet();
    for (i = 0; i < size; ++i)
        if (packet[i] >= 'a' && packet[i] <= 'z')
            packet[i] = (char)(packet[i] - 'a' + 'A');
    send(packet, size);
    /* What an end has sent is lost when its partition ends: this one stays until the other has read it and ended. */
    while (peer_state(&number) != 0)
        __asm__ volatile("pause");
    return 0;
}
