// SPDX-License-Identifier: GPL-3.0-or-later
#include <errno.h>
#include <netinet/in.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "account.h"
#include "steerd/base/clock.h"

enum {
    BATCH = STEER_BATCH_MAX,
    // A longer datagram is no query. An odd number of cache lines, so that equal offsets of a batch's
    // datagrams spread over all sets of the first-level cache.
    INPUT_BYTES = 25 * CACHE_LINE,
    OUTPUT_BYTES = BATCH * UDP_ANSWER_MAX,
    CONTROL_BYTES = CMSG_SPACE(sizeof(struct in6_pktinfo)),
    // More than any receive buffer holds: a flood does not keep a stopping worker for ever.
    DRAIN_BATCHES_MAX = 1024,
};

// An answer between rendering and sending.
struct answered {
    struct steer_facts facts;
    uint8_t *reply;
    size_t len;
    uint64_t limit_key;
};

// The kernel's view of both directions, and a batch in between. Slot i of asks and prepared belongs to
// datagram i; answers are packed one after the other, because slots of 4,096 octets would all fall on the
// same few lines of the first-level cache.
struct udp_worker {
    struct counters counters;
    struct steer_server *server;
    struct steer_rng rng;
    int fd;
    bool learns_address; // wildcard: IP_PKTINFO both ways
    int core;
    char name[16];
    pthread_t thread;
    struct mmsghdr in[BATCH], out[BATCH];
    struct iovec in_iov[BATCH], out_iov[BATCH];
    struct sockaddr_storage peer[BATCH];
    struct steer_ask asks[BATCH];
    struct steer_prepared prepared[BATCH];
    struct answered answered[BATCH];
    uint64_t clock_ns;                // the coarse clock's last tick, and what follows from it
    uint64_t limit_time;              // steer_rrl_time
    uint32_t unix_s;                  // rounded up
    struct steer_replay_ring *replay; // NULL: nothing is kept
    struct steer_answer_cookies cookies;
    _Alignas(struct cmsghdr) uint8_t control[BATCH][CONTROL_BYTES];
    _Alignas(CACHE_LINE) uint8_t input[BATCH][INPUT_BYTES];
    _Alignas(CACHE_LINE) uint8_t output[OUTPUT_BYTES];
};

static void ready_slot(struct udp_worker *w, unsigned i)
{
    struct msghdr *h = &w->in[i].msg_hdr;
    h->msg_namelen = sizeof w->peer[i];
    h->msg_controllen = w->learns_address ? CONTROL_BYTES : 0;
}

// Up to BATCH datagrams; 0 when there was none. The kernel shortens the slots that it fills, so those are
// made ready again first.
static unsigned receive(struct udp_worker *w, unsigned used_before, int flags)
{
    for (unsigned i = 0; i < used_before; i++)
        ready_slot(w, i);
    int n = recvmmsg(w->fd, w->in, BATCH, flags, NULL);
    return n > 0 ? (unsigned)n : 0;
}

// Once per batch; between two ticks nothing is computed again.
static void read_clock(struct udp_worker *w)
{
    uint64_t now_ns = steer_clock_coarse_ns();
    if (STEER_LIKELY(now_ns == w->clock_ns))
        return;
    w->clock_ns = now_ns;
    w->unix_s = unix_s_rounded_up();
    if (w->server->rrl)
        w->limit_time = steer_rrl_time(w->server->rrl, now_ns);
}

static void prepare(struct udp_worker *w, const struct steer_world *world, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        const struct msghdr *h = &w->in[i].msg_hdr;
        struct steer_ask *ask = &w->asks[i];
        uint16_t port;
        steer_addr_from_sockaddr(&w->peer[i], &ask->client, &port);
        // A cut datagram, and one that cannot be answered, count as empty: no reply is due to those.
        bool usable = port != 0 && !(h->msg_flags & MSG_TRUNC);
        ask->len = usable ? w->in[i].msg_len : 0;
        ask->random = steer_rng_next(&w->rng);
        ask->now_s = w->unix_s;
        steer_answer_prepare(ask, &w->prepared[i]);
    }
    steer_answer_locate(world, w->asks, w->prepared, count);
}

// The reply leaves from the address that was asked. The interface is left to routing, except for link-local
// addresses, which mean nothing without it.
static void answer_from_asked_address(struct msghdr *reply, const struct msghdr *request)
{
    reply->msg_control = NULL;
    reply->msg_controllen = 0;
    struct cmsghdr *c = CMSG_FIRSTHDR(request);
    if (!c)
        return;
    if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_PKTINFO) {
        struct in_pktinfo info;
        memcpy(&info, CMSG_DATA(c), sizeof info);
        info.ipi_ifindex = 0;
        memcpy(CMSG_DATA(c), &info, sizeof info);
        reply->msg_controllen = CMSG_SPACE(sizeof info);
    } else if (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_PKTINFO) {
        struct in6_pktinfo info;
        memcpy(&info, CMSG_DATA(c), sizeof info);
        if (!IN6_IS_ADDR_LINKLOCAL(&info.ipi6_addr))
            info.ipi6_ifindex = 0;
        memcpy(CMSG_DATA(c), &info, sizeof info);
        reply->msg_controllen = CMSG_SPACE(sizeof info);
    }
    if (reply->msg_controllen)
        reply->msg_control = request->msg_control;
}

static void render(struct udp_worker *w, const struct steer_world *world, unsigned count)
{
    const struct steer_rrl *rrl = w->server->rrl;
    uint8_t *out = w->output;
    for (unsigned i = 0; i < count; i++) {
        struct answered *a = &w->answered[i];
        a->reply = out;
        a->len = steer_answer_render(world, &w->server->answers, &w->asks[i], &w->prepared[i], out,
                                     UDP_ANSWER_MAX, &a->facts);
        if (rrl && a->len)
            a->limit_key = limit_key(rrl, &w->asks[i], &w->prepared[i], &a->facts);
        out += (a->len + CACHE_LINE - 1) & ~(size_t)(CACHE_LINE - 1);
    }
}

// Limits and accounts; returns how many replies are due.
static unsigned settle(struct udp_worker *w, const struct steer_world *world, unsigned count)
{
    unsigned due = 0;
    for (unsigned i = 0; i < count; i++) {
        struct answered *a = &w->answered[i];
        enum steer_limit limit = STEER_LIMIT_NONE;
        if (w->server->rrl && a->len)
            limit = limit_reply(w->server, a->limit_key, w->limit_time, &w->asks[i],
                                &w->prepared[i], &a->facts, a->reply, &a->len);
        account(&w->counters, world, &a->facts, limit, w->unix_s);
        if (STEER_UNLIKELY(w->replay))
            sample_query(w->replay, &w->asks[i], &w->prepared[i], &a->facts, a->reply, a->len,
                         w->unix_s);
        if (a->len == 0)
            continue;
        w->out_iov[due] = (struct iovec){a->reply, a->len};
        struct msghdr *h = &w->out[due].msg_hdr;
        h->msg_name = &w->peer[i];
        h->msg_namelen = w->in[i].msg_hdr.msg_namelen;
        if (w->learns_address)
            answer_from_asked_address(h, &w->in[i].msg_hdr);
        due++;
    }
    return due;
}

// A reply that the kernel does not take now is dropped, as the network would drop it; the rest of the batch
// goes out.
static void send_all(struct udp_worker *w, unsigned count)
{
    unsigned done = 0;
    while (done < count) {
        int n = sendmmsg(w->fd, w->out + done, count - done, MSG_DONTWAIT);
        if (STEER_LIKELY(n > 0)) {
            done += (unsigned)n;
        } else if (errno != EINTR) {
            count_add(&w->counters.unsent, 1);
            done++;
        }
    }
}

static void answer_batch(struct udp_worker *w, unsigned count)
{
    const struct steer_world *world = steer_reader_world(w->server->publisher);
    read_clock(w);
    w->cookies = (struct steer_answer_cookies){server_cookie_secrets(w->server), w->unix_s};
    prepare(w, world, count);
    render(w, world, count);
    send_all(w, settle(w, world, count));
}

static void *run(void *arg)
{
    struct udp_worker *w = arg;
    pthread_setname_np(pthread_self(), w->name);
    if (w->core >= 0) {
        cpu_set_t set;
        CPU_ZERO(&set);
        CPU_SET((unsigned)w->core, &set);
        (void)!pthread_setaffinity_np(pthread_self(), sizeof set, &set);
    }
    steer_reader_register();
    unsigned count = 0;
    while (!is_stopping(w->server)) {
        steer_reader_offline();
        count = receive(w, count, MSG_WAITFORONE);
        steer_reader_online();
        answer_batch(w, count);
    }
    for (unsigned i = 0; i < DRAIN_BATCHES_MAX; i++) {
        count = receive(w, count, MSG_DONTWAIT);
        if (!count)
            break;
        answer_batch(w, count);
        steer_reader_quiescent();
    }
    steer_reader_unregister();
    return NULL;
}

struct udp_worker *udp_worker_create(struct steer_server *server, const struct listener *listener,
                                     int fd, uint64_t seed)
{
    struct udp_worker *w = aligned_zeroed(sizeof *w);
    w->server = server;
    w->fd = fd;
    w->learns_address = listener->wildcard;
    steer_rng_init(&w->rng, seed);
    for (unsigned i = 0; i < BATCH; i++) {
        w->in_iov[i] = (struct iovec){w->input[i], INPUT_BYTES};
        struct msghdr *in = &w->in[i].msg_hdr;
        in->msg_iov = &w->in_iov[i];
        in->msg_iovlen = 1;
        in->msg_name = &w->peer[i];
        in->msg_control = w->learns_address ? w->control[i] : NULL;
        ready_slot(w, i);
        w->out[i].msg_hdr.msg_iov = &w->out_iov[i];
        w->out[i].msg_hdr.msg_iovlen = 1;
        w->asks[i].message = w->input[i];
        w->asks[i].cookies = &w->cookies;
    }
    return w;
}

void udp_worker_destroy(struct udp_worker *w)
{
    if (!w)
        return;
    close(w->fd);
    steer_replay_destroy(w->replay);
    free(w);
}

enum steer_err udp_worker_start(struct udp_worker *w, unsigned index, int core,
                                struct steer_diag *diag)
{
    w->core = core;
    snprintf(w->name, sizeof w->name, "udp-%u", index);
    int err = pthread_create(&w->thread, NULL, run, w);
    if (err)
        return steer_diag_set(diag, STEER_EIO, "cannot start a UDP worker: %s", strerror(err));
    return STEER_OK;
}

// Linux refuses to shut an unconnected socket down (ENOTCONN) and wakes its readers all the same; from then
// on an empty socket returns at once instead of blocking, so the flag cannot be missed.
void udp_worker_wake(struct udp_worker *w)
{
    (void)!shutdown(w->fd, SHUT_RD);
}

void udp_worker_join(struct udp_worker *w)
{
    pthread_join(w->thread, NULL);
}

const struct counters *udp_worker_counters(const struct udp_worker *w)
{
    return &w->counters;
}

void udp_worker_set_replay(struct udp_worker *w, struct steer_replay_ring *ring)
{
    w->replay = ring;
}

const struct steer_replay_ring *udp_worker_replay(const struct udp_worker *w)
{
    return w->replay;
}
