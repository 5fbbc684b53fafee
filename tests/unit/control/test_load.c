// SPDX-License-Identifier: GPL-3.0-or-later
// links: server
// Everything at once: clients ask over loopback while documents, zones, overrides, geo data and origins
// change. No answer is lost, and each is one of a version that was current between question and answer.
// Best under ThreadSanitizer; STEER_TEST_SECONDS makes it longer.
#include "control_support.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdatomic.h>
#include <sys/socket.h>

#include "steerd/base/clock.h"
#include "steerd/server/server.h"
#include "support/origin.h"

enum { CLIENTS = 3, WAIT_MS = 10000, IMPORTED_NAMES = 100 };

struct load {
    struct fixture *fixture;
    struct steer_server *server;
    struct sockaddr_storage sa;
    struct origin *origin;
    int failing_fd; // listens while the second origin is up
    uint16_t failing_port;
    _Atomic bool ends;
    // The newest version whose edit has begun, and the newest whose edit was acknowledged.
    _Atomic unsigned begun, acknowledged;
    _Atomic unsigned imports_begun, imports_acknowledged;
    _Atomic uint64_t answers, lost, pairs, edits, looks;
};

// cmocka's assertions belong to the main thread: on others a failure ends the process.
#define MUST(condition, ...)                                                                       \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            fprintf(stderr, "%s:%d: ", __FILE__, __LINE__);                                        \
            fprintf(stderr, __VA_ARGS__);                                                          \
            fputc('\n', stderr);                                                                   \
            abort();                                                                               \
        }                                                                                          \
    } while (0)

// ---- what is published -----------------------------------------------------------------------------

// Version n says so in two zones, in static and in steered records.
static void document(struct steer_buf *out, const struct load *l, unsigned n)
{
    const unsigned hi = n >> 8 & 255, lo = n & 255;
    steer_buf_clear(out);
    steer_buf_printf(
        out,
        "checks:\n"
        "  good: {type: http, port: %u, path: /200, interval: 100ms, timeout: 100ms, rise: 1, "
        "fall: 1}\n"
        "  flaps: {type: tcp, port: %u, interval: 100ms, timeout: 100ms, rise: 1, fall: 1}\n",
        l->origin->port, l->failing_port);
    steer_buf_printf(
        out,
        "endpoints:\n  a: {ipv4: 127.0.0.1, check: good}\n  b: {ipv4: 127.0.0.2, check: flaps}\n"
        "  c: {ipv4: 127.0.0.3}\n"
        "pools:\n  p: {endpoints: {a: %u, b: %u}}\n  q: {endpoints: {b: 1, c: %u}}\n",
        n % 7 + 1, n % 5 + 1, n % 3 + 1);
    if (n % 2)
        steer_buf_puts(out, "policies:\n  main: {failover: [{pool: q}, {endpoint: a}]}\n");
    else
        steer_buf_puts(out, "policies:\n  main: {weighted: [{weight: 1, to: {pool: p}}, {weight: "
                            "2, to: {pool: q}}]}\n");
    steer_buf_puts(out, "zones:\n");
    for (int z = 0; z < 2; z++)
        steer_buf_printf(
            out,
            "- zone: v%d.test\n  records:\n    v: {ttl: 0, TXT: ['%u']}\n"
            "    g: {ttl: 1, steer: {geo: {rules: [{match: %s, to: {answer: {A: [10.1.%u.%u]}}}],\n"
            "                              default: {answer: {A: [10.2.%u.%u]}}}}}\n"
            "    s: {ttl: 1, steer: {use: main}}\n",
            z, n, n % 3 ? "EU" : "EU-DE", hi, lo, hi, lo);
}

static void apply_version(struct load *l, struct steer_buf *text)
{
    unsigned n = atomic_load(&l->begun) + 1;
    document(text, l, n);
    atomic_store(&l->begun, n);
    must_apply(l->fixture, text->data);
    atomic_store(&l->acknowledged, n);
}

static void import_version(struct load *l, struct steer_buf *text)
{
    unsigned n = atomic_load(&l->imports_begun) + 1;
    steer_buf_clear(text);
    steer_buf_printf(text, "@ SOA ns ns %u 1 1 1 1\n@ NS ns\nv 0 TXT %u\n", n, n);
    for (int i = 0; i < IMPORTED_NAMES; i++)
        steer_buf_printf(text, "n%d A 192.0.2.%u\n", i, n % 250);
    atomic_store(&l->imports_begun, n);
    assert_int_equal(import(l->fixture, "imported.test", text->data), STEER_OK);
    atomic_store(&l->imports_acknowledged, n);
}

static void toggle_zone(struct load *l)
{
    static const char text[] = "@ SOA ns ns 1 1 1 1 1\n@ NS ns\nwww A 192.0.2.1\n";
    if (steer_control_delete_zone(l->fixture->control, "come.test", "test", &l->fixture->diag) !=
        STEER_OK)
        assert_int_equal(import(l->fixture, "come.test", text), STEER_OK);
}

static void toggle_override(struct load *l, uint64_t r)
{
    static const char *const targets[][2] = {
        {"endpoint", "a"}, {"endpoint", "b"}, {"pool", "p"}, {"check", "good"}, {"pool", "q"}};
    static const char *const states[] = {"up", "down", "drained"};
    const char *const *target = targets[r % STEER_ARRAY_LEN(targets)];
    struct steer_control *c = l->fixture->control;
    static const char *const clients[] = {NULL, "198.51.100.0/24", "0.0.0.0/0,2001:db8::/32"};
    const struct steer_control_override o = {.kind = target[0],
                                             .target = target[1],
                                             .state = states[r >> 8 & 1 ? 1 : (r >> 9) % 3],
                                             .reason = "load",
                                             .clients = clients[(r >> 16) % 3],
                                             .by = "test"};
    if (steer_control_override_clear(c, o.kind, o.target, o.clients, "test", NULL) != STEER_OK)
        assert_int_equal(steer_control_override_set(c, &o, NULL), STEER_OK);
}

// ---- origins -----------------------------------------------------------------------------------------

static int listen_on(uint16_t *port)
{
    struct sockaddr_in sa = {.sin_family = AF_INET, .sin_port = htons(*port)};
    socklen_t len = sizeof sa;
    int one = 1;
    inet_pton(AF_INET, "127.0.0.2", &sa.sin_addr);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (bind(fd, (struct sockaddr *)&sa, sizeof sa) != 0 || listen(fd, 64) != 0 ||
        getsockname(fd, (struct sockaddr *)&sa, &len) != 0) {
        close(fd);
        return -1;
    }
    *port = ntohs(sa.sin_port);
    return fd;
}

static void toggle_origin(struct load *l)
{
    if (l->failing_fd >= 0) {
        close(l->failing_fd);
        l->failing_fd = -1;
    } else {
        l->failing_fd = listen_on(&l->failing_port);
    }
}

// ---- clients -----------------------------------------------------------------------------------------

// Sends until there is an answer; a question without one counts as lost.
static void ask_server(struct load *l, int fd, const char *name, uint16_t type, const char *from,
                       struct reply *r)
{
    static _Thread_local uint16_t id;
    struct steer_addr client;
    uint8_t query[512];
    MUST(steer_addr_parse(from, &client), "%s", from);
    size_t len = build_query(query, name, type, &client);
    for (;;) {
        struct pollfd p = {fd, POLLIN, 0};
        id++;
        query[0] = (uint8_t)(id >> 8);
        query[1] = (uint8_t)id;
        MUST(send(fd, query, len, 0) == (ssize_t)len, "cannot send");
        while (poll(&p, 1, WAIT_MS) == 1) {
            ssize_t got = recv(fd, r->wire, sizeof r->wire, 0);
            MUST(got >= 12, "a reply of %zd octets", got);
            if (r->wire[0] != query[0] || r->wire[1] != query[1])
                continue; // late: it was counted as lost
            static const enum steer_outcome_kind kinds[16] = {[0] = STEER_FACT_NODATA,
                                                              [1] = STEER_FACT_ERROR,
                                                              [2] = STEER_FACT_ERROR,
                                                              [3] = STEER_FACT_NXDOMAIN,
                                                              [5] = STEER_FACT_REFUSED};
            bool records = r->wire[6] || r->wire[7];
            r->len = (size_t)got;
            r->facts.kind = records ? STEER_FACT_POSITIVE : kinds[r->wire[3] & 15];
            atomic_fetch_add(&l->answers, 1);
            return;
        }
        atomic_fetch_add(&l->lost, 1);
    }
}

static unsigned number_at(struct load *l, int fd, const char *name, _Atomic unsigned *begun,
                          _Atomic unsigned *acknowledged)
{
    char text[512];
    struct reply r;
    unsigned least = atomic_load(acknowledged);
    ask_server(l, fd, name, STEER_TYPE_TXT, "192.0.2.1", &r);
    unsigned most = atomic_load(begun);
    unsigned n = (unsigned)strtoul(reply_text(&r, text, sizeof text), NULL, 10);
    MUST(n >= least && n <= most, "%s says '%s', and %u to %u are possible", name, text, least,
         most);
    return n;
}

// Both zones change in one document: while one says the same before and after, so does the other.
static void check_versions(struct load *l, int fd)
{
    unsigned first = number_at(l, fd, "v.v0.test.", &l->begun, &l->acknowledged);
    unsigned other = number_at(l, fd, "v.v1.test.", &l->begun, &l->acknowledged);
    unsigned again = number_at(l, fd, "v.v0.test.", &l->begun, &l->acknowledged);
    MUST(other >= first && other <= again, "v1.test has %u between %u and %u", other, first, again);
    atomic_fetch_add(&l->pairs, first == again);
    number_at(l, fd, "v.imported.test.", &l->imports_begun, &l->imports_acknowledged);
}

static void check_geo(struct load *l, int fd, uint64_t r)
{
    static const struct {
        const char *client;
        unsigned net;
    } rows[] = {{"192.0.2.9", 1}, {"198.51.100.9", 2}, {"2001:db8:de::9", 1}, {"8.8.8.8", 2}};
    const size_t i = r % STEER_ARRAY_LEN(rows);
    char text[512];
    struct reply reply;
    unsigned net, hi, lo, least = atomic_load(&l->acknowledged);
    ask_server(l, fd, r & 64 ? "g.v0.test." : "g.v1.test.", STEER_TYPE_A, rows[i].client, &reply);
    unsigned most = atomic_load(&l->begun);
    MUST(sscanf(reply_text(&reply, text, sizeof text), "10.%u.%u.%u", &net, &hi, &lo) == 3, "%s",
         text);
    MUST(net == rows[i].net, "%s gets %s", rows[i].client, text);
    MUST(most > 65535 || ((hi << 8 | lo) >= least && (hi << 8 | lo) <= most),
         "%s is of version %u, and %u to %u are possible", text, hi << 8 | lo, least, most);
}

static void check_steered(struct load *l, int fd)
{
    char text[512];
    struct reply r;
    ask_server(l, fd, "s.v1.test.", STEER_TYPE_A, "192.0.2.1", &r);
    reply_text(&r, text, sizeof text);
    MUST(r.facts.kind == STEER_FACT_NODATA || strncmp(text, "127.0.0.", 8) == 0, "s.v1.test. is %s",
         text);
    ask_server(l, fd, "www.come.test.", STEER_TYPE_A, "192.0.2.1", &r);
    reply_text(&r, text, sizeof text);
    MUST(strcmp(text, "REFUSED") == 0 || strcmp(text, "192.0.2.1") == 0, "www.come.test. is %s",
         text);
}

static void *run_client(void *arg)
{
    struct load *l = arg;
    struct steer_rng rng;
    steer_rng_init(&rng, steer_clock_mono_ns());
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    MUST(connect(fd, (struct sockaddr *)&l->sa, sizeof(struct sockaddr_in)) == 0, "cannot connect");
    while (!atomic_load(&l->ends)) {
        check_versions(l, fd);
        check_geo(l, fd, steer_rng_next(&rng));
        check_steered(l, fd);
    }
    close(fd);
    return NULL;
}

// ---- onlookers ---------------------------------------------------------------------------------------

static void visit(void *ctx, const char *name, const char *state)
{
    (void)name, (void)state;
    ++*(unsigned *)ctx;
}

static void *run_onlooker(void *arg)
{
    struct load *l = arg;
    struct steer_control *c = l->fixture->control;
    struct steer_control_explain q = {.name = "g.v0.test", .type = "A", .source = 32};
    MUST(steer_addr_parse("192.0.2.1", &q.client), "192.0.2.1");
    while (!atomic_load(&l->ends)) {
        struct steer_control_stats stats;
        struct steer_buf text = {0};
        unsigned endpoints = 0;
        json_t *json;
        steer_control_stats(c, &stats);
        steer_control_each_endpoint(c, visit, &endpoints);
        MUST(endpoints == 3, "%u endpoints", endpoints);
        MUST(steer_control_status(c, &json, NULL) == STEER_OK, "status");
        json_decref(json);
        MUST(steer_control_explain(c, &q, &json, NULL) == STEER_OK, "explain");
        json_decref(json);
        MUST(steer_control_zones(c, &json, NULL) == STEER_OK, "zones");
        json_decref(json);
        MUST(steer_control_export(c, "imported.test", &text, NULL) == STEER_OK, "export");
        MUST(strstr(text.data, "n99.imported.test."), "the export is not whole");
        steer_buf_fini(&text);
        atomic_fetch_add(&l->looks, 1);
        usleep(2000);
    }
    return NULL;
}

// ---- all of it -----------------------------------------------------------------------------------------

static void start_server(struct load *l)
{
    socklen_t len;
    struct sockaddr_storage sa;
    struct steer_diag diag;
    assert_true(steer_sockaddr_parse("127.0.0.1:0", &sa, &len));
    const struct steer_server_options options = {.listen = &sa,
                                                 .listen_len = &len,
                                                 .listen_count = 1,
                                                 .workers = 2,
                                                 .answers = {.udp_size = 1232},
                                                 .publisher =
                                                     steer_control_publisher(l->fixture->control),
                                                 .seed = 1};
    if (steer_server_start(&options, &l->server, &diag) != STEER_OK)
        fail_msg("%s", diag.message);
    steer_server_address(l->server, 0, &l->sa);
}

// Slow disks and busy machines get more time, not a weaker test.
static bool has_seen_enough(struct load *l)
{
    struct steer_control_stats stats;
    steer_control_stats(l->fixture->control, &stats);
    return l->pairs && l->looks && l->begun > 5 && l->imports_begun > 1 &&
           stats.verdict_changes > 1;
}

static void edit_for(struct load *l, unsigned seconds)
{
    struct steer_rng rng;
    struct steer_buf text = {0};
    const uint64_t end = steer_clock_mono_ns() + seconds * STEER_NS_PER_S;
    uint64_t next_toggle = 0;
    steer_rng_init(&rng, 1);
    while (steer_clock_mono_ns() < end ||
           (!has_seen_enough(l) && steer_clock_mono_ns() < end + 60 * STEER_NS_PER_S)) {
        uint64_t r = steer_rng_next(&rng);
        switch (r % 8) {
        case 0:
            import_version(l, &text);
            break;
        case 1:
            toggle_zone(l);
            break;
        case 2:
        case 3:
            toggle_override(l, r >> 8);
            break;
        case 4:
            assert_int_equal(steer_control_reload_geo(l->fixture->control, NULL), STEER_OK);
            break;
        default:
            apply_version(l, &text);
            break;
        }
        if (steer_clock_mono_ns() > next_toggle) {
            toggle_origin(l);
            next_toggle = steer_clock_mono_ns() + 300 * STEER_NS_PER_MS;
        }
        atomic_fetch_add(&l->edits, 1);
    }
    steer_buf_fini(&text);
}

static void remove_all(struct load *l)
{
    static const char *const zones[] = {"v0.test", "v1.test", "imported.test"};
    for (size_t i = 0; i < STEER_ARRAY_LEN(zones); i++)
        assert_int_equal(steer_control_delete_zone(l->fixture->control, zones[i], "test", NULL),
                         STEER_OK);
    struct figures figures = figures_of(l->fixture);
    assert_int_equal(figures.cells, 0);
    assert_int_equal(figures.residuals, 0);
    assert_int_equal(figures.classmaps, 0);
}

static void every_answer_under_load_is_of_a_version_that_was_current(void **state)
{
    (void)state;
    struct load *l = steer_calloc(1, sizeof *l);
    const char *seconds = getenv("STEER_TEST_SECONDS");
    pthread_t threads[CLIENTS + 1];
    struct steer_buf text = {0};
    struct steer_control_stats stats;
    l->fixture = fixture_create(true);
    l->origin = origin_start(AF_INET);
    l->failing_fd = listen_on(&l->failing_port);
    assert_non_null(l->origin);
    assert_true(l->failing_fd >= 0);
    apply_version(l, &text);
    import_version(l, &text);
    start_server(l);
    for (int i = 0; i < CLIENTS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, run_client, l), 0);
    assert_int_equal(pthread_create(&threads[CLIENTS], NULL, run_onlooker, l), 0);
    edit_for(l, seconds ? (unsigned)atoi(seconds) : 4);
    atomic_store(&l->ends, true);
    for (int i = 0; i <= CLIENTS; i++)
        pthread_join(threads[i], NULL);
    steer_control_stats(l->fixture->control, &stats);
    print_message("%llu answers, %llu lost; %llu edits, versions %u and %u; %llu verdict changes; "
                  "%llu looks\n",
                  (unsigned long long)l->answers, (unsigned long long)l->lost,
                  (unsigned long long)l->edits, l->begun, l->imports_begun,
                  (unsigned long long)stats.verdict_changes, (unsigned long long)l->looks);
    assert_int_equal(l->lost, 0);
    assert_true(has_seen_enough(l));
    remove_all(l);
    steer_server_stop(l->server, 100);
    fixture_destroy(l->fixture);
    origin_stop(l->origin);
    if (l->failing_fd >= 0)
        close(l->failing_fd);
    steer_buf_fini(&text);
    free(l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_answer_under_load_is_of_a_version_that_was_current),
    };
    return cmocka_run_group_tests_name("control/load", tests, NULL, NULL);
}
