/* SPDX-License-Identifier: Apache-2.0 */
/* partitions/abi/lane.h - lanes between partitions, and the protocol that is spoken over them. Version 1.
 *
 * A lane is memory that one partition writes and one other reads: a page of header, then a ring. A wire is two lanes in
 * opposite directions, a one-way wire a single one. The boot page lists a partition's ends of wires (struct caisson_link).
 * The hypervisor never reads a lane. It overwrites it with zeros before each life of its writer, header first.
 *
 * This file is the protocol's one implementation: C and C++, for 64-bit code, behind boot_page.h. It holds no lock: one CPU at a
 * time in an end. What is read is believed only as far as it has been checked: every byte may change at any moment.
 *
 *   I1  an index is read once, checked, and then used; a packet is copied out once; after that the writer's life is looked
 *       at again, and only then the packet counts
 *   I2  a lane that lies (an index or a length that cannot be, a life that is not its writer's) is not read again until its
 *       writer has a new life, which the hypervisor tells (CAISSON_CALL_LANE_STATE)
 *   I3  nobody waits: no room is an answer, and so is nothing there
 *   I4  no wake-up is lost: publish, full fence, look at the other's wish; wish, full fence, look again
 *
 * Positions count bytes of the ring since the writer's life began; they are multiples of 8 and never wrap around. A record
 * is 8 bytes (length, flags) and the packet, filled up to a multiple of 8. It never wraps: a
 * record of length 0 that is a filler stands for the rest of the ring. */
#ifndef CAISSON_ABI_LANE_H
#define CAISSON_ABI_LANE_H

#ifndef CAISSON_LANE_HEADER_BYTES
#error "include boot_page.h first: it has the sizes of lanes"
#endif

#define CAISSON_LANE_MAGIC 0x31454E414C534943ull /* "CISLANE1" */
#define CAISSON_LANE_VERSION 1u
#define CAISSON_LANE_PACKET_MAX 16384u
#define CAISSON_LANE_FILLER 0x80000000u /* flag: the rest of the ring is nothing */
#define CAISSON_LANE_NEVER (~0ull)      /* ring_me_at, room_at: do not ring */
/* Tests let the other side act in between. */
#ifndef CAISSON_LANE_STEP
#define CAISSON_LANE_STEP() ((void)0)
#define CAISSON_LANE_COPY(to, from, bytes) __builtin_memcpy(to, from, bytes)
#endif

/* Written by the lane's writer alone. A one-way wire uses only the first two groups. */
struct caisson_lane_header {
    unsigned long long magic; /* published last */
    unsigned int version, ring_bytes;
    unsigned long long life; /* the writer's generation */
    unsigned char unused0[40];
    unsigned long long head;    /* position behind the last packet */
    unsigned long long reserve; /* one-way: what lies more than a ring before this may be overwritten already */
    unsigned char unused1[48];
    /* Of the opposite lane, as long as `peer_life` is its writer's: */
    unsigned long long read;       /* position up to which it has been read */
    unsigned long long ring_me_at; /* ring when `head` goes beyond this position of the opposite lane ... */
    unsigned long long room_at;    /* ... or `read` beyond this position of the lane itself */
    unsigned long long peer_life;
};

struct caisson_lane {
    struct caisson_lane_header header;
    unsigned char unused[CAISSON_LANE_HEADER_BYTES - sizeof(struct caisson_lane_header)];
    unsigned char ring[8]; /* and further */
};

/* A partition's end of a wire. Zeros, then the first group is filled in, then caisson_end_open(). */
struct caisson_end {
    struct caisson_lane *send;          /* 0: the reading end of a one-way wire */
    const struct caisson_lane *receive; /* 0: the writing end */
    unsigned int ring_bytes;
    unsigned long long life;                         /* the partition's own generation */
    unsigned long long (*peer_state)(void *context); /* CAISSON_CALL_LANE_STATE */
    void (*ring)(void *context);                     /* CAISSON_CALL_LANE_RING */
    void *context;
    /* The rest is the protocol's. */
    unsigned long long head;         /* of what is sent */
    unsigned long long acknowledged; /* how far the peer was seen to have read that */
    unsigned long long looked_head, looked_read; /* what was published when the peer's wishes were looked at last */
    unsigned long long peer;         /* the life whose lane is read; 0: none yet */
    unsigned long long distrusted;   /* the life whose lane lied */
    unsigned long long position;     /* up to which it has been read */
    int met;                         /* a lane has been read before */
    unsigned long long lies;         /* lanes that were given up */
    unsigned long long lost;         /* bytes of a one-way lane that were overwritten unread */
};

static inline unsigned long long caisson_lane_load(const unsigned long long *from) {
    CAISSON_LANE_STEP();
    return __atomic_load_n(from, __ATOMIC_ACQUIRE);
}
static inline void caisson_lane_store(unsigned long long *to, unsigned long long value) {
    CAISSON_LANE_STEP();
    __atomic_store_n(to, value, __ATOMIC_RELEASE);
}
static inline unsigned long long caisson_lane_record_bytes(unsigned int length) {
    return 8ull + ((length + 7ull) & ~7ull);
}
/* `wish` has been passed between two looks: looked <= wish < now. */
static inline int caisson_lane_passed(unsigned long long wish, unsigned long long looked, unsigned long long now) {
    return now - 1 - wish < now - looked;
}

/* Publishes the own lane, which is all zero. Call it once a life, before anything else. */
static inline void caisson_end_open(struct caisson_end *end) {
    if (end->send == 0)
        return;
    end->send->header.version = CAISSON_LANE_VERSION;
    end->send->header.ring_bytes = end->ring_bytes;
    end->send->header.ring_me_at = CAISSON_LANE_NEVER;
    end->send->header.room_at = CAISSON_LANE_NEVER;
    caisson_lane_store(&end->send->header.life, end->life);
    caisson_lane_store(&end->send->header.magic, CAISSON_LANE_MAGIC);
}

/* What was read cannot be: a lie, or its writer's life has ended meanwhile. */
static inline void caisson_end_doubt(struct caisson_end *end) {
    if (end->peer_state(end->context) == end->peer) {
        end->distrusted = end->peer;
        ++end->lies;
    }
    end->peer = 0;
    if (end->send != 0)
        caisson_lane_store(&end->send->header.peer_life, 0);
}

/* Not 0: the lane that is read is that of `end->peer`, and is believed. That may be another life than before. */
static inline int caisson_end_look(struct caisson_end *end) {
    const struct caisson_lane_header *from;
    unsigned long long life;
    if (end->receive == 0)
        return 0;
    from = &end->receive->header;
    if (end->peer != 0) {
        if (caisson_lane_load(&from->magic) == CAISSON_LANE_MAGIC && caisson_lane_load(&from->life) == end->peer)
            return 1;
        caisson_end_doubt(end);
    }
    if (caisson_lane_load(&from->magic) != CAISSON_LANE_MAGIC)
        return 0;
    life = end->peer_state(end->context);
    /* From here on the lane holds what that life wrote, or the life is over. */
    if (life == 0 || life == end->distrusted || caisson_lane_load(&from->magic) != CAISSON_LANE_MAGIC)
        return 0;
    if (caisson_lane_load(&from->life) != life || __atomic_load_n(&from->version, __ATOMIC_RELAXED) != CAISSON_LANE_VERSION ||
        __atomic_load_n(&from->ring_bytes, __ATOMIC_RELAXED) != end->ring_bytes) {
        end->peer = life;
        caisson_end_doubt(end);
        return 0;
    }
    /* What a lane holds that this generation did not see begin was for another. */
    end->position = !end->met && end->life > 1 ? caisson_lane_load(&from->head) & ~7ull : 0;
    end->looked_read = end->position;
    end->met = 1;
    end->peer = life;
    if (end->send != 0) {
        caisson_lane_store(&end->send->header.read, end->position);
        /* It may be met while this end sleeps or is about to: a wish of before is void now, and no ring would ever come. */
        caisson_lane_store(&end->send->header.ring_me_at, end->position);
        caisson_lane_store(&end->send->header.room_at, CAISSON_LANE_NEVER);
        caisson_lane_store(&end->send->header.peer_life, life);
    }
    return 1;
}

/* Not 0: what the peer says of our lane is about this life of it. */
static inline int caisson_end_answers(struct caisson_end *end) {
    return caisson_end_look(end) && caisson_lane_load(&end->receive->header.peer_life) == end->life;
}

/* Copies the next packet to `to`, which has room for CAISSON_LANE_PACKET_MAX bytes. Its length; 0: nothing, or it has to be looked at again. */
static inline unsigned int caisson_end_receive(struct caisson_end *end, void *to, unsigned int *flags) {
    int turn;
    for (turn = 0; turn < 2 && caisson_end_look(end); ++turn) { /* a filler, then a packet */
        const struct caisson_lane_header *from = &end->receive->header;
        const unsigned long long head = caisson_lane_load(&from->head), available = head - end->position;
        const unsigned long long at = end->position & (end->ring_bytes - 1), left = end->ring_bytes - at;
        const unsigned long long life = end->peer;
        unsigned long long bytes = 0;
        unsigned int record[2]; /* length, flags */
        if (available == 0)
            return 0;
        if ((head & 7) != 0 || available >> 63 != 0 || (available > end->ring_bytes && end->send != 0)) {
            caisson_end_doubt(end);
            return 0;
        }
        __builtin_memcpy(record, &end->receive->ring[0] + at, sizeof record);
        __asm__ volatile("" : "+m"(record)); /* once: nothing below looks there again */
        if (record[0] != 0 && record[0] <= CAISSON_LANE_PACKET_MAX) {
            bytes = caisson_lane_record_bytes(record[0]);
            if (bytes <= left && bytes <= available)
                CAISSON_LANE_COPY(to, &end->receive->ring[0] + at + sizeof record, record[0]);
            else
                bytes = 0;
        } else if (record[0] == 0 && record[1] == CAISSON_LANE_FILLER && at != 0 && left <= available) {
            bytes = left;
        }
        __atomic_thread_fence(__ATOMIC_ACQUIRE);
        if (!caisson_end_look(end) || end->peer != life)
            return 0;
        /* A one-way writer waits for nobody: what it may have overwritten meanwhile is lost. */
        if (end->send == 0 &&
            (available > end->ring_bytes || caisson_lane_load(&from->reserve) - end->position > end->ring_bytes)) {
            end->lost += available;
            end->position = head;
            return 0;
        }
        if (bytes == 0) {
            caisson_end_doubt(end);
            return 0;
        }
        end->position += bytes;
        if (end->send != 0)
            caisson_lane_store(&end->send->header.read, end->position);
        *flags = record[1];
        if (record[0] != 0)
            return record[0];
    }
    return 0;
}

/* Not 0: a packet of that length may be written now. */
static inline int caisson_end_has_room(struct caisson_end *end, unsigned int length) {
    const unsigned long long bytes = caisson_lane_record_bytes(length);
    const unsigned long long left = end->ring_bytes - (end->head & (end->ring_bytes - 1));
    const unsigned long long most = end->ring_bytes - (bytes > left ? left + bytes : bytes);
    unsigned long long read;
    if (end->send == 0 || length == 0 || length > CAISSON_LANE_PACKET_MAX)
        return 0;
    if (end->receive == 0 || end->head - end->acknowledged <= most)
        return 1;
    if (!caisson_end_answers(end))
        return 0;
    read = caisson_lane_load(&end->receive->header.read);
    if (read - end->acknowledged > end->head - end->acknowledged) {
        caisson_end_doubt(end);
        return 0;
    }
    end->acknowledged = read;
    return end->head - end->acknowledged <= most;
}

/* Where a packet of that length is to be written; 0: there is no room. caisson_end_publish() with the same length follows. */
static inline unsigned char *caisson_end_prepare(struct caisson_end *end, unsigned int length) {
    const unsigned long long bytes = caisson_lane_record_bytes(length);
    const unsigned long long at = end->head & (end->ring_bytes - 1), left = end->ring_bytes - at;
    const unsigned int filler[2] = {0, CAISSON_LANE_FILLER};
    if (!caisson_end_has_room(end, length))
        return 0;
    if (end->receive == 0)
        caisson_lane_store(&end->send->header.reserve, end->head + (bytes > left ? left + bytes : bytes));
    __atomic_thread_fence(__ATOMIC_RELEASE);
    if (bytes > left) {
        __builtin_memcpy(&end->send->ring[0] + at, filler, sizeof filler);
        end->head += left;
    }
    return &end->send->ring[0] + (end->head & (end->ring_bytes - 1)) + 8;
}
static inline void caisson_end_publish(struct caisson_end *end, unsigned int length, unsigned int flags) {
    const unsigned int record[2] = {length, flags};
    __builtin_memcpy(&end->send->ring[0] + (end->head & (end->ring_bytes - 1)), record, sizeof record);
    end->head += caisson_lane_record_bytes(length);
    caisson_lane_store(&end->send->header.head, end->head);
}

/* Not 0: it is on its way; caisson_end_flush() tells the peer. 0: no room. */
static inline int caisson_end_send(struct caisson_end *end, const void *packet, unsigned int length, unsigned int flags) {
    unsigned char *to = caisson_end_prepare(end, length);
    if (to == 0)
        return 0;
    __builtin_memcpy(to, packet, length);
    caisson_end_publish(end, length, flags);
    return 1;
}

/* After some packets were sent or received: rings the peer once, if it wants to know. */
static inline void caisson_end_flush(struct caisson_end *end) {
    const struct caisson_lane_header *peer;
    int ring = 1;
    if (end->send == 0 || (end->head == end->looked_head && end->position == end->looked_read))
        return;
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    if (end->receive != 0 && caisson_end_answers(end)) {
        peer = &end->receive->header;
        ring = caisson_lane_passed(caisson_lane_load(&peer->ring_me_at), end->looked_head, end->head) ||
               caisson_lane_passed(caisson_lane_load(&peer->room_at), end->looked_read, end->position);
    }
    end->looked_head = end->head;
    end->looked_read = end->position;
    if (ring)
        end->ring(end->context);
}

/* Before it sleeps, and once more after CAISSON_CALL_LANE_LISTEN: asks the peer to ring at the next packet, and where it
 * waits for room (`room` not 0), when it has read something. Not 0: there is something to do already. */
static inline int caisson_end_arm(struct caisson_end *end, unsigned int room) {
    if (end->send != 0 && end->receive != 0) {
        caisson_lane_store(&end->send->header.ring_me_at, end->position);
        caisson_lane_store(&end->send->header.room_at, room != 0 ? end->acknowledged : CAISSON_LANE_NEVER);
        __atomic_thread_fence(__ATOMIC_SEQ_CST);
    }
    return (room != 0 && caisson_end_has_room(end, room)) ||
           (caisson_end_look(end) && caisson_lane_load(&end->receive->header.head) != end->position);
}

/* While it is awake and looks by itself: no rings. */
static inline void caisson_end_disarm(struct caisson_end *end) {
    if (end->send != 0 && end->receive != 0)
        caisson_lane_store(&end->send->header.ring_me_at, CAISSON_LANE_NEVER);
}

#endif
