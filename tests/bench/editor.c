// SPDX-License-Identifier: GPL-3.0-or-later
// editor --admin ADDR:PORT --token FILE --dns ADDR:PORT [options]: edits through the HTTP API, and readers
// that know the versions.
//
// Each document owns two names of one zone, with two addresses each: 10.V and 11.V, where V is the version in 24
// bits. Now and then it also has a TXT record and a steered record. Every fourth document has a small zone of its
// own, where such records go again (prune); the others share a zone. A reader asks the first name, the second and
// the first again. One answer with two versions, or a second name older than the first one was: mixed. Older than
// what this reader saw before: back. Older than what was acknowledged before the question was sent: stale. Newer
// than any that was sent, or no such answer at all: wrong. No answer in five seconds: lost. One JSON line at the
// end; status 1 unless all of these are zero.
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "steerd/base/addr.h"
#include "steerd/base/buf.h"
#include "steerd/base/clock.h"
#include "steerd/base/hash.h"
#include "steerd/base/mem.h"

enum {
    THREADS_MAX = 32,
    SAMPLES_MAX = 1 << 20,
    REPLY_BYTES = 1 << 20,
    GROUP_MAX = 256,
    TIMEOUT_S = 30,
    LOST_S = 5
};

struct settings {
    const char *admin, *token, *dns, *zone;
    uint32_t documents, edits, group;
    unsigned connections, readers;
    double rate; // requests a second over all connections; 0: as fast as they are taken
};

// Versions are written by the one editor that owns the document; readers only look.
struct versions {
    _Atomic uint32_t sent, acknowledged;
};

struct samples {
    float *ms;
    uint32_t count;
};

struct editor {
    pthread_t thread;
    unsigned number;
    int fd;
    uint32_t edits, refused;
    struct samples http, build, commit;
    struct steer_rng rng;
};

struct reader {
    pthread_t thread;
    int fd;
    uint16_t id;
    uint64_t reads, lost, mixed, back, stale, wrong;
    uint32_t *seen;
    struct samples wait;
    struct steer_rng rng;
};

static struct {
    struct settings settings;
    struct versions *versions;
    struct editor editors[THREADS_MAX];
    struct reader readers[THREADS_MAX];
    char token[256];
    uint64_t begin_ns;
    _Atomic bool done;
} run;

static void die(const char *what, const char *why)
{
    fprintf(stderr, "editor: %s: %s\n", what, why);
    exit(2);
}

static int open_to(const char *address, int kind)
{
    struct sockaddr_storage sa;
    socklen_t len;
    const int one = 1;
    const struct timeval timeout = {.tv_sec = kind == SOCK_DGRAM ? LOST_S : TIMEOUT_S};
    if (!steer_sockaddr_parse(address, &sa, &len))
        die(address, "is not an address with a port, like 127.0.0.1:5300");
    int fd = socket(sa.ss_family, kind | SOCK_CLOEXEC, 0);
    if (fd < 0 || connect(fd, (struct sockaddr *)&sa, len) != 0)
        die(address, strerror(errno));
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof timeout);
    if (kind == SOCK_STREAM)
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    return fd;
}

static void samples_add(struct samples *s, double ms)
{
    if (s->count < SAMPLES_MAX)
        s->ms[s->count++] = (float)ms;
}

// ---- HTTP: one request at a time on a connection that stays open -----------------------------------

// The status of the reply whose body is then at *body (NUL-terminated).
static int read_reply(int fd, char *reply, const char **body)
{
    size_t len = 0, need = SIZE_MAX;
    while (len < need) {
        ssize_t n = len + 1 < REPLY_BYTES ? recv(fd, reply + len, REPLY_BYTES - 1 - len, 0) : 0;
        if (n <= 0)
            die("the API", n < 0 ? strerror(errno) : "closed the connection");
        len += (size_t)n;
        reply[len] = 0;
        char *head_end = strstr(reply, "\r\n\r\n");
        if (!head_end || need != SIZE_MAX)
            continue;
        char *length = strcasestr(reply, "\r\nContent-Length:");
        *body = head_end + 4;
        need = (size_t)(*body - reply) + (length ? strtoul(length + 17, NULL, 10) : 0);
    }
    return (int)strtoul(reply + 9, NULL, 10);
}

static double member(const char *body, const char *name)
{
    const char *at = strstr(body, name);
    return at ? strtod(at + strlen(name), NULL) : -1;
}

static bool has_own_zone(uint32_t number)
{
    return number % 4 == 3;
}

static const char *zone_of(uint32_t number, char *own, size_t size)
{
    if (!has_own_zone(number))
        return run.settings.zone;
    snprintf(own, size, "e%u.edits.test", number);
    return own;
}

static void add_document(struct steer_buf *b, struct editor *e, uint32_t number, uint32_t version)
{
    unsigned x = version >> 16 & 255, y = version >> 8 & 255, z = version & 255;
    uint64_t random = steer_rng_next(&e->rng);
    char own[64];
    steer_buf_printf(b, "{\"name\":\"edit-%u.yaml\",\"text\":\"zone: %s\\nrecords:\\n", number,
                     zone_of(number, own, sizeof own));
    for (const char *name = "ab"; *name; name++)
        steer_buf_printf(b, "  e%c%u: {ttl: 60, A: [10.%u.%u.%u, 11.%u.%u.%u]}\\n", *name, number,
                         x, y, z, x, y, z);
    if (random % 3 == 0)
        steer_buf_printf(
            b, "  et%u: {ttl: 60, TXT: ['%.*s']}\\n", number, (int)(random >> 8 & 127),
            "a text of some length, so that what is taken and given back differs from edit "
            "to edit as it would in life, and not only by a bit");
    if (random % 4 == 1)
        steer_buf_printf(b,
                         "  es%u: {ttl: 60, steer: {weighted: [{weight: %u, to: {pool: bench-eu}}, "
                         "{weight: %u, to: {pool: bench-na}}]}}\\n",
                         number, (unsigned)(1 + (random >> 16) % 1000),
                         (unsigned)(1 + (random >> 32) % 1000));
    steer_buf_puts(b, "\"}");
}

// One request that brings the numbered documents to their next versions.
static void edit(struct editor *e, const uint32_t *numbers, uint32_t count, char *reply)
{
    struct steer_buf body = {0}, request = {0};
    uint32_t versions[GROUP_MAX];
    bool prune = count == 1 && has_own_zone(numbers[0]);
    steer_buf_printf(&body, "{\"prune\":%s,\"documents\":[", prune ? "true" : "false");
    for (uint32_t i = 0; i < count; i++) {
        struct versions *v = &run.versions[numbers[i]];
        versions[i] = atomic_load(&v->sent) + 1;
        atomic_store(&v->sent, versions[i]);
        if (i)
            steer_buf_u8(&body, ',');
        add_document(&body, e, numbers[i], versions[i]);
    }
    steer_buf_puts(&body, "]}");
    steer_buf_printf(
        &request,
        "POST /api/v1/apply HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer %s\r\n"
        "Content-Type: application/json\r\nContent-Length: %zu\r\n\r\n",
        run.token, body.len);
    steer_buf_add(&request, body.data, body.len);
    uint64_t begin_ns = steer_clock_mono_ns();
    for (size_t at = 0; at < request.len;) {
        ssize_t n = send(e->fd, request.data + at, request.len - at, MSG_NOSIGNAL);
        if (n < 0)
            die("the API", strerror(errno));
        at += (size_t)n;
    }
    const char *answer = "";
    int status = read_reply(e->fd, reply, &answer);
    if (status == 200) {
        for (uint32_t i = 0; i < count; i++)
            atomic_store(&run.versions[numbers[i]].acknowledged, versions[i]);
        samples_add(&e->http, (double)(steer_clock_mono_ns() - begin_ns) / 1e6);
        samples_add(&e->build, member(answer, "\"build_ms\":"));
        samples_add(&e->commit, member(answer, "\"commit_ms\":"));
        e->edits += count;
    } else if (e->refused++ == 0) {
        fprintf(stderr, "editor: status %d: %.600s\n", status, answer);
    }
    steer_buf_fini(&body);
    steer_buf_fini(&request);
}

static void sleep_until(uint64_t at_ns)
{
    const struct timespec at = {(time_t)(at_ns / STEER_NS_PER_S), (long)(at_ns % STEER_NS_PER_S)};
    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, NULL) == EINTR)
        ;
}

// The documents of an editor are those whose number is its own modulo the connections.
static uint32_t owned(const struct editor *e)
{
    const struct settings *s = &run.settings;
    return (s->documents - e->number + s->connections - 1) / s->connections;
}

static void *edit_all(void *arg)
{
    struct editor *e = arg;
    const struct settings *s = &run.settings;
    char *reply = steer_alloc(REPLY_BYTES);
    uint32_t numbers[GROUP_MAX], mine = owned(e), share = s->edits / s->connections;
    for (uint64_t request = 0; e->edits < share && e->refused < 10; request++) {
        uint32_t first = (uint32_t)(steer_rng_next(&e->rng) % mine);
        for (uint32_t i = 0; i < s->group; i++)
            numbers[i] = e->number + (first + i) % mine * s->connections;
        if (s->rate > 0) {
            double at_s = ((double)request * s->connections + e->number) / s->rate;
            sleep_until(run.begin_ns + (uint64_t)(at_s * 1e9));
        }
        edit(e, numbers, s->group, reply);
    }
    free(reply);
    return NULL;
}

// Every document once, so that readers find all names.
static void create_documents(void)
{
    char *reply = steer_alloc(REPLY_BYTES);
    uint32_t numbers[GROUP_MAX];
    for (unsigned k = 0; k < run.settings.connections; k++) {
        struct editor *e = &run.editors[k];
        uint32_t mine = owned(e);
        for (uint32_t at = 0; at < mine;) {
            uint32_t n = 0;
            for (; n < 50 && at < mine; n++, at++)
                numbers[n] = e->number + at * run.settings.connections;
            edit(e, numbers, n, reply);
        }
        if (e->refused)
            exit(2);
        e->edits = 0;
        e->http.count = e->build.count = e->commit.count = 0;
    }
    free(reply);
}

// ---- readers ---------------------------------------------------------------------------------------

static size_t put_question(uint8_t *out, uint16_t id, char letter, uint32_t number)
{
    static const uint8_t head[10] = {0, 0, 0, 1};
    char label[32];
    memset(out, 0, 12);
    out[0] = (uint8_t)(id >> 8);
    out[1] = (uint8_t)id;
    memcpy(out + 2, head, sizeof head);
    size_t at = 12;
    int n = snprintf(label, sizeof label, "e%c%u", letter, number);
    char own[64];
    const char *rest = zone_of(number, own, sizeof own);
    for (const char *part = label; n;) {
        out[at++] = (uint8_t)n;
        memcpy(out + at, part, (size_t)n);
        at += (size_t)n;
        part = rest;
        n = (int)strcspn(rest, ".");
        rest += n + (rest[n] == '.');
    }
    memcpy(out + at, "\0\0\1\0\1", 5);
    return at + 5;
}

enum verdict { GOOD, MIXED, WRONG };

// Two A records whose owner is the question's: 10.V and 11.V in either order.
static enum verdict read_version(const uint8_t *m, size_t len, size_t question_len,
                                 uint32_t *version)
{
    if (len < question_len + 32 || (m[3] & 15) || m[7] != 2)
        return WRONG;
    uint32_t found[2] = {0, 0};
    for (unsigned i = 0; i < 2; i++) {
        const uint8_t *rr = m + question_len + 16 * i, *a = rr + 12;
        if (rr[0] != 0xc0 || rr[1] != 12 || rr[3] != 1 || rr[11] != 4 || (a[0] != 10 && a[0] != 11))
            return WRONG;
        found[a[0] - 10] = (uint32_t)(a[1] << 16 | a[2] << 8 | a[3]);
    }
    *version = found[0];
    return found[0] == found[1] ? GOOD : MIXED;
}

static bool receive(struct reader *r, uint8_t *in, size_t cap, size_t *len)
{
    for (;;) {
        ssize_t n = recv(r->fd, in, cap, 0);
        if (n < 0)
            return false;
        *len = (size_t)n;
        if (n >= 12 && (in[0] << 8 | in[1]) == r->id)
            return true;
    }
}

// Asks once; `least` is the version that an earlier answer of this round had.
static uint32_t ask(struct reader *r, char letter, uint32_t number, uint32_t least)
{
    uint8_t out[320], in[1500];
    size_t len = 0;
    uint32_t version = 0;
    struct versions *v = &run.versions[number];
    size_t question_len = put_question(out, ++r->id, letter, number);
    uint32_t acknowledged = atomic_load(&v->acknowledged);
    uint64_t begin_ns = steer_clock_mono_ns();
    r->reads++;
    if (send(r->fd, out, question_len, 0) < 0 || !receive(r, in, sizeof in, &len)) {
        r->lost++;
        return least;
    }
    samples_add(&r->wait, (double)(steer_clock_mono_ns() - begin_ns) / 1e6);
    enum verdict verdict = read_version(in, len, question_len, &version);
    r->mixed += verdict == MIXED || (verdict == GOOD && version < least);
    r->wrong += verdict == WRONG || (verdict == GOOD && version > atomic_load(&v->sent));
    if (verdict != GOOD)
        return least;
    r->stale += version < acknowledged;
    r->back += version < r->seen[number];
    r->seen[number] = version;
    return version;
}

static void *read_all(void *arg)
{
    struct reader *r = arg;
    while (!atomic_load(&run.done)) {
        uint32_t number = (uint32_t)(steer_rng_next(&r->rng) % run.settings.documents);
        uint32_t version = ask(r, 'a', number, 0);
        version = ask(r, 'b', number, version);
        ask(r, 'a', number, version);
    }
    return NULL;
}

// ---- options and report ----------------------------------------------------------------------------

static int by_value(const void *a, const void *b)
{
    float x = *(const float *)a, y = *(const float *)b;
    return (x > y) - (x < y);
}

static void report_samples(const char *name, struct samples *s)
{
    qsort(s->ms, s->count, sizeof *s->ms, by_value);
    const double shares[] = {0.5, 0.99, 1};
    printf(", \"%s\": [", name);
    for (unsigned i = 0; i < 3; i++)
        printf("%s%.3f", i ? ", " : "",
               s->count ? (double)s->ms[(uint32_t)(shares[i] * (s->count - 1))] : 0);
    putchar(']');
}

static void gather(struct samples *to, const struct samples *from)
{
    for (uint32_t i = 0; i < from->count; i++)
        samples_add(to, (double)from->ms[i]);
}

static struct samples new_samples(void)
{
    return (struct samples){steer_calloc(SAMPLES_MAX, sizeof(float)), 0};
}

static bool report(double seconds)
{
    struct samples all[4];
    uint64_t edits = 0, requests = 0, refused = 0;
    struct reader sum = {0};
    for (unsigned i = 0; i < 4; i++)
        all[i] = new_samples();
    for (unsigned k = 0; k < run.settings.connections; k++) {
        struct editor *e = &run.editors[k];
        edits += e->edits;
        requests += e->http.count;
        refused += e->refused;
        gather(&all[0], &e->http);
        gather(&all[1], &e->build);
        gather(&all[2], &e->commit);
    }
    for (unsigned k = 0; k < run.settings.readers; k++) {
        struct reader *r = &run.readers[k];
        sum.reads += r->reads;
        sum.lost += r->lost;
        sum.mixed += r->mixed;
        sum.back += r->back;
        sum.stale += r->stale;
        sum.wrong += r->wrong;
        gather(&all[3], &r->wait);
    }
    printf("{\"edits\": %" PRIu64 ", \"requests\": %" PRIu64 ", \"refused\": %" PRIu64
           ", \"seconds\": %.2f, \"edits_per_s\": %.0f, \"reads\": %" PRIu64 ", \"lost\": %" PRIu64
           ", \"mixed\": %" PRIu64 ", \"back\": %" PRIu64 ", \"stale\": %" PRIu64
           ", \"wrong\": %" PRIu64,
           edits, requests, refused, seconds, (double)edits / seconds, sum.reads, sum.lost,
           sum.mixed, sum.back, sum.stale, sum.wrong);
    static const char *const names[] = {"http_ms", "build_ms", "commit_ms", "wait_ms"};
    for (unsigned i = 0; i < 4; i++)
        report_samples(names[i], &all[i]);
    puts("}");
    return refused + sum.lost + sum.mixed + sum.back + sum.stale + sum.wrong == 0;
}

static void parse_options(int argc, char **argv, struct settings *s)
{
    static const struct option options[] = {{"admin", 1, NULL, 'a'},
                                            {"token", 1, NULL, 't'},
                                            {"dns", 1, NULL, 'd'},
                                            {"zone", 1, NULL, 'z'},
                                            {"documents", 1, NULL, 'n'},
                                            {"edits", 1, NULL, 'e'},
                                            {"group", 1, NULL, 'g'},
                                            {"rate", 1, NULL, 'r'},
                                            {"connections", 1, NULL, 'c'},
                                            {"readers", 1, NULL, 'R'},
                                            {0}};
    *s = (struct settings){.zone = "bench.test",
                           .documents = 1000,
                           .edits = 1000,
                           .group = 1,
                           .connections = 4,
                           .readers = 1};
    bool good = true;
    for (int o; (o = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        const char **texts[128] = {
            ['a'] = &s->admin, ['t'] = &s->token, ['d'] = &s->dns, ['z'] = &s->zone};
        uint32_t *numbers[128] = {['n'] = &s->documents,
                                  ['e'] = &s->edits,
                                  ['g'] = &s->group,
                                  ['c'] = &s->connections,
                                  ['R'] = &s->readers};
        if (o == 'r')
            s->rate = atof(optarg);
        else if (o < 128 && texts[o])
            *texts[o] = optarg;
        else if (o < 128 && numbers[o])
            *numbers[o] = (uint32_t)strtoul(optarg, NULL, 10);
        else
            good = false;
    }
    if (good && optind == argc && s->admin && s->token && s->dns && s->connections >= 1 &&
        s->connections <= THREADS_MAX && s->readers <= THREADS_MAX && s->group >= 1 &&
        s->group <= GROUP_MAX && s->documents / s->connections >= s->group && strlen(s->zone) < 200)
        return;
    fputs("usage: editor --admin ADDR:PORT --token FILE --dns ADDR:PORT [--zone ORIGIN] "
          "[--documents N]\n"
          "              [--edits N] [--group N (documents a request)] [--rate REQUESTS_PER_S]\n"
          "              [--connections N] [--readers N]\n",
          stderr);
    exit(2);
}

static void read_token(const char *path)
{
    struct steer_buf text = {0};
    struct steer_diag diag = {0};
    if (steer_buf_read_file(&text, path, sizeof run.token - 1, &diag) != STEER_OK)
        die(path, diag.message);
    memcpy(run.token, text.data, strcspn(text.data, "\r\n"));
    steer_buf_fini(&text);
}

int main(int argc, char **argv)
{
    struct settings *s = &run.settings;
    parse_options(argc, argv, s);
    read_token(s->token);
    run.versions = steer_calloc(s->documents, sizeof *run.versions);
    for (unsigned k = 0; k < s->connections; k++) {
        struct editor *e = &run.editors[k];
        *e = (struct editor){.number = k,
                             .fd = open_to(s->admin, SOCK_STREAM),
                             .http = new_samples(),
                             .build = new_samples(),
                             .commit = new_samples()};
        steer_rng_init(&e->rng, k + 1);
    }
    create_documents();
    run.begin_ns = steer_clock_mono_ns();
    for (unsigned k = 0; k < s->readers; k++) {
        struct reader *r = &run.readers[k];
        *r = (struct reader){.fd = open_to(s->dns, SOCK_DGRAM),
                             .wait = new_samples(),
                             .seen = steer_calloc(s->documents, sizeof *r->seen)};
        steer_rng_init(&r->rng, 1000 + k);
        pthread_create(&r->thread, NULL, read_all, r);
    }
    for (unsigned k = 0; k < s->connections; k++)
        pthread_create(&run.editors[k].thread, NULL, edit_all, &run.editors[k]);
    for (unsigned k = 0; k < s->connections; k++)
        pthread_join(run.editors[k].thread, NULL);
    double seconds = (double)(steer_clock_mono_ns() - run.begin_ns) / 1e9;
    atomic_store(&run.done, true);
    for (unsigned k = 0; k < s->readers; k++)
        pthread_join(run.readers[k].thread, NULL);
    return report(seconds) ? 0 : 1;
}
