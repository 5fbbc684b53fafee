// SPDX-License-Identifier: GPL-3.0-or-later
// dnsblast --to ADDRESS:PORT --queries FILE [options]: DNS load over UDP from one core.
//
// Closed loop by default: --window questions are kept under way, spread over --sockets sockets, and an
// answer makes room for the next question. With --rate, open loop: questions go out on time whatever comes back.
// With --burst, so many at once, and the next burst when all are answered or given up.
// Message ids are the generator's; the question of an answer is found by its id. One JSON line at the end.
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include "steerd/base/addr.h"
#include "steerd/base/buf.h"
#include "steerd/base/clock.h"
#include "steerd/base/mem.h"

enum {
    BATCH = 64,
    DATAGRAM_BYTES = 4096,
    IDS = 65536,
    SOCKETS_MAX = 64,
    LATENCY_BUCKETS = 2048,
    SWEEP_MS = 20,
};

// ---- latencies: 32 steps for each doubling of nanoseconds ------------------------------------------

struct latencies {
    uint64_t buckets[LATENCY_BUCKETS];
    uint64_t count;
};

static void latencies_add(struct latencies *l, uint64_t ns)
{
    unsigned shift = 0;
    while (ns >> shift >= 64)
        shift++;
    l->buckets[32 * shift + (ns >> shift)]++;
    l->count++;
}

// The lower edge of the bucket that holds the given share of all, in microseconds.
static double latencies_at(const struct latencies *l, double share)
{
    uint64_t left = (uint64_t)(share * (double)l->count);
    for (unsigned i = 0; i < LATENCY_BUCKETS; i++) {
        if (l->buckets[i] > left) {
            unsigned shift = i < 64 ? 0 : i / 32 - 1;
            return (double)((uint64_t)(i - 32 * shift) << shift) / 1000.0;
        }
        left -= l->buckets[i];
    }
    return 0;
}

// ---- what runs -------------------------------------------------------------------------------------

struct settings {
    const char *to, *queries;
    double seconds;
    unsigned sockets, window;
    uint64_t rate, burst;
    uint64_t timeout_ns;
    bool echo; // the peer returns what it gets: its flags mean nothing
};

struct queries {
    struct steer_buf file;
    struct iovec *items;
    size_t count, cap, next;
};

// One socket. sent_ns[id] is when the question with that id went out; 0: none is under way.
struct flow {
    int fd;
    unsigned under_way;
    uint16_t next_id, oldest_id;
    uint64_t *sent_ns;
};

struct totals {
    uint64_t sent, received, lost, late, malformed, octets, with_answer;
    uint64_t rcodes[16];
    struct latencies latencies;
};

struct run {
    struct settings settings;
    struct queries queries;
    struct flow flows[SOCKETS_MAX];
    struct totals totals;
    uint64_t begin_ns, released, bursts;
    uint8_t in[BATCH][DATAGRAM_BYTES];
    struct iovec in_spans[BATCH];
    struct mmsghdr in_messages[BATCH], out_messages[BATCH];
};

static void die(const char *what, const char *why)
{
    fprintf(stderr, "dnsblast: %s: %s\n", what, why);
    exit(1);
}

static void load_queries(struct queries *q, const char *path)
{
    struct steer_diag diag = {0};
    if (steer_buf_read_file(&q->file, path, SIZE_MAX / 2, &diag) != STEER_OK)
        die(path, diag.message);
    uint8_t *data = (uint8_t *)q->file.data;
    for (size_t at = 0; at + 2 <= q->file.len;) {
        size_t len = (size_t)data[at] << 8 | data[at + 1];
        if (len < 12 || len > q->file.len - at - 2)
            die(path, "is not a file of length-prefixed messages");
        q->items = steer_grow(q->items, &q->cap, q->count + 1, sizeof *q->items);
        q->items[q->count++] = (struct iovec){data + at + 2, len};
        at += 2 + len;
    }
    // A batch sends each message buffer once only, since its id is written in place.
    if (q->count < BATCH)
        die(path, "holds fewer than 64 queries");
}

static void open_flows(struct run *r)
{
    struct sockaddr_storage sa;
    socklen_t len;
    if (!steer_sockaddr_parse(r->settings.to, &sa, &len))
        die(r->settings.to, "is not an address with a port, like 127.0.0.1:5300");
    for (unsigned i = 0; i < r->settings.sockets; i++) {
        struct flow *f = &r->flows[i];
        const int size = 4 << 20;
        f->fd = socket(sa.ss_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        if (f->fd < 0 || connect(f->fd, (struct sockaddr *)&sa, len) != 0)
            die(r->settings.to, strerror(errno));
        if (setsockopt(f->fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof size) != 0)
            (void)!setsockopt(f->fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof size);
        f->sent_ns = steer_calloc(IDS, sizeof *f->sent_ns);
    }
    for (unsigned i = 0; i < BATCH; i++) {
        r->in_spans[i] = (struct iovec){r->in[i], DATAGRAM_BYTES};
        r->in_messages[i].msg_hdr.msg_iov = &r->in_spans[i];
        r->in_messages[i].msg_hdr.msg_iovlen = r->out_messages[i].msg_hdr.msg_iovlen = 1;
    }
}

// ---- receiving and sending -------------------------------------------------------------------------

static void take_answer(struct run *r, struct flow *f, const uint8_t *message, size_t len,
                        uint64_t now_ns)
{
    struct totals *t = &r->totals;
    if (len < 12 || (!r->settings.echo && !(message[2] & 0x80))) {
        t->malformed++;
        return;
    }
    uint64_t *sent_ns = &f->sent_ns[message[0] << 8 | message[1]];
    if (*sent_ns == 0) {
        t->late++;
        return;
    }
    latencies_add(&t->latencies, now_ns - *sent_ns);
    *sent_ns = 0;
    f->under_way--;
    t->received++;
    t->octets += len;
    t->rcodes[message[3] & 15]++;
    t->with_answer += message[6] || message[7];
}

static void receive(struct run *r, struct flow *f)
{
    int n;
    do {
        n = recvmmsg(f->fd, r->in_messages, BATCH, MSG_DONTWAIT, NULL);
        uint64_t now_ns = steer_clock_mono_ns();
        for (int i = 0; i < n; i++)
            take_answer(r, f, r->in[i], r->in_messages[i].msg_len, now_ns);
    } while (n == BATCH);
}

static unsigned due(const struct run *r, const struct flow *f, uint64_t now_ns)
{
    if (r->settings.rate) {
        uint64_t all = (uint64_t)((double)(now_ns - r->begin_ns) * 1e-9 * (double)r->settings.rate);
        uint64_t n = all - r->released;
        return n > BATCH ? BATCH : (unsigned)n;
    }
    unsigned window = r->settings.window / r->settings.sockets;
    unsigned room = window > f->under_way ? window - f->under_way : 0;
    if (room > BATCH)
        room = BATCH;
    // Half a window or a batch at a time: small batches would measure the generator's system calls.
    unsigned least = window < BATCH ? window / 2 : BATCH / 2;
    return room >= least ? room : 0;
}

static void send_questions(struct run *r, struct flow *f, unsigned count)
{
    struct queries *q = &r->queries;
    if (q->count - q->next < count)
        q->next = 0;
    uint64_t now_ns = steer_clock_mono_ns();
    for (unsigned i = 0; i < count; i++) {
        struct iovec *query = &q->items[q->next + i];
        uint16_t id = (uint16_t)(f->next_id + i);
        uint8_t *message = query->iov_base;
        message[0] = (uint8_t)(id >> 8);
        message[1] = (uint8_t)id;
        r->out_messages[i].msg_hdr.msg_iov = query;
    }
    int n = sendmmsg(f->fd, r->out_messages, count, MSG_DONTWAIT);
    for (int i = 0; i < n; i++) {
        uint64_t *sent_ns = &f->sent_ns[f->next_id++];
        if (*sent_ns) { // ids went round before an answer came
            r->totals.lost++;
            f->under_way--;
        }
        *sent_ns = now_ns;
        f->under_way++;
        r->totals.sent++;
        r->released++;
        q->next++;
    }
}

// Questions over their time make room again; ids go out in order, so the oldest are looked at only.
static void sweep(struct run *r, struct flow *f, uint64_t now_ns)
{
    while (f->oldest_id != f->next_id) {
        uint64_t *sent_ns = &f->sent_ns[f->oldest_id];
        if (*sent_ns && now_ns - *sent_ns < r->settings.timeout_ns)
            return;
        if (*sent_ns) {
            *sent_ns = 0;
            f->under_way--;
            r->totals.lost++;
        }
        f->oldest_id++;
    }
}

static unsigned under_way(const struct run *r)
{
    unsigned all = 0;
    for (unsigned i = 0; i < r->settings.sockets; i++)
        all += r->flows[i].under_way;
    return all;
}

// Nothing is read while a burst goes out: the answers wait in the sockets' buffers.
static uint64_t work_in_bursts(struct run *r)
{
    uint64_t now_ns = steer_clock_mono_ns();
    uint64_t end_ns = now_ns + (uint64_t)(r->settings.seconds * 1e9);
    r->begin_ns = now_ns;
    for (; now_ns < end_ns; r->bursts++) {
        uint64_t until = r->totals.sent + r->settings.burst;
        for (unsigned i = 0; r->totals.sent < until; i = (i + 1) % r->settings.sockets) {
            uint64_t left = until - r->totals.sent;
            send_questions(r, &r->flows[i], left < BATCH ? (unsigned)left : BATCH);
        }
        while (under_way(r)) {
            now_ns = steer_clock_mono_ns();
            for (unsigned i = 0; i < r->settings.sockets; i++) {
                receive(r, &r->flows[i]);
                sweep(r, &r->flows[i], now_ns);
            }
        }
        now_ns = steer_clock_mono_ns();
    }
    return now_ns - r->begin_ns;
}

static uint64_t work(struct run *r)
{
    uint64_t now_ns = steer_clock_mono_ns(), swept_ns = now_ns;
    uint64_t end_ns = now_ns + (uint64_t)(r->settings.seconds * 1e9);
    r->begin_ns = now_ns;
    while (now_ns < end_ns) {
        for (unsigned i = 0; i < r->settings.sockets; i++) {
            struct flow *f = &r->flows[i];
            receive(r, f);
            unsigned count = due(r, f, now_ns);
            if (count)
                send_questions(r, f, count);
        }
        now_ns = steer_clock_mono_ns();
        if (now_ns - swept_ns > SWEEP_MS * STEER_NS_PER_MS) {
            swept_ns = now_ns;
            for (unsigned i = 0; i < r->settings.sockets; i++)
                sweep(r, &r->flows[i], now_ns);
        }
    }
    return now_ns - r->begin_ns;
}

// ---- options and report ----------------------------------------------------------------------------

static void report(const struct run *r, uint64_t took_ns)
{
    const struct totals *t = &r->totals;
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    double cpu_us = (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1e6 +
                    (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec);
    double received = t->received ? (double)t->received : 1;
    printf("{\"qps\": %.0f, \"seconds\": %.3f, \"sent\": %" PRIu64 ", \"received\": %" PRIu64
           ", \"lost\": %" PRIu64 ", \"late\": %" PRIu64 ", \"malformed\": %" PRIu64,
           (double)t->received * 1e9 / (double)took_ns, (double)took_ns / 1e9, t->sent, t->received,
           t->lost, t->late, t->malformed);
    printf(", \"p50_us\": %.1f, \"p90_us\": %.1f, \"p99_us\": %.1f, \"p999_us\": %.1f",
           latencies_at(&t->latencies, 0.5), latencies_at(&t->latencies, 0.9),
           latencies_at(&t->latencies, 0.99), latencies_at(&t->latencies, 0.999));
    printf(", \"bursts\": %" PRIu64, r->bursts);
    printf(", \"mean_octets\": %.1f, \"with_answer\": %" PRIu64
           ", \"generator_us\": %.3f, \"rcodes\": [",
           (double)t->octets / received, t->with_answer, cpu_us / received);
    for (unsigned i = 0; i < 16; i++)
        printf("%s%" PRIu64, i ? ", " : "", t->rcodes[i]);
    puts("]}");
}

static void parse_options(int argc, char **argv, struct settings *s)
{
    enum { TO, QUERIES, SECONDS, SOCKETS, WINDOW, RATE, BURST, TIMEOUT, ECHO };
    static const struct option options[] = {
        {"to", 1, NULL, TO},           {"queries", 1, NULL, QUERIES},
        {"seconds", 1, NULL, SECONDS}, {"sockets", 1, NULL, SOCKETS},
        {"window", 1, NULL, WINDOW},   {"rate", 1, NULL, RATE},
        {"burst", 1, NULL, BURST},     {"timeout-ms", 1, NULL, TIMEOUT},
        {"echo", 0, NULL, ECHO},       {0}};
    *s = (struct settings){
        .seconds = 5, .sockets = 4, .window = 192, .timeout_ns = 500 * STEER_NS_PER_MS};
    bool good = true;
    for (int o; (o = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        switch (o) {
        case TO:
            s->to = optarg;
            break;
        case QUERIES:
            s->queries = optarg;
            break;
        case SECONDS:
            s->seconds = atof(optarg);
            break;
        case SOCKETS:
            s->sockets = (unsigned)strtoul(optarg, NULL, 10);
            break;
        case WINDOW:
            s->window = (unsigned)strtoul(optarg, NULL, 10);
            break;
        case RATE:
            s->rate = strtoull(optarg, NULL, 10);
            break;
        case BURST:
            s->burst = strtoull(optarg, NULL, 10);
            break;
        case TIMEOUT:
            s->timeout_ns = strtoull(optarg, NULL, 10) * STEER_NS_PER_MS;
            break;
        case ECHO:
            s->echo = true;
            break;
        default:
            good = false;
        }
    }
    good = good && optind == argc && s->to && s->queries && s->seconds > 0 && s->sockets >= 1 &&
           s->sockets <= SOCKETS_MAX && s->window / s->sockets >= 1 &&
           s->window / s->sockets < IDS / 2;
    if (good)
        return;
    fputs("usage: dnsblast --to ADDRESS:PORT --queries FILE [--seconds S] [--sockets N (1-64)]\n"
          "                [--window N | --rate QPS | --burst N] [--timeout-ms N] [--echo]\n",
          stderr);
    exit(2);
}

int main(int argc, char **argv)
{
    static struct run run;
    parse_options(argc, argv, &run.settings);
    load_queries(&run.queries, run.settings.queries);
    open_flows(&run);
    report(&run, run.settings.burst ? work_in_bursts(&run) : work(&run));
    return 0;
}
