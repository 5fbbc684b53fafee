// SPDX-License-Identifier: GPL-3.0-or-later
// bench_answer [--geo FILE] [--names N] [--rounds N] [--ms N] [--json]: the answer path alone, message in, message
// out, in nanoseconds per query. `--only WORKLOAD --count N` answers N queries and measures nothing: for callgrind
// with --toggle-collect=answer_batch. --sizes prints how large the structs of the path are. Workloads take turns within each round, so that other load meets them all.
// Without --geo, steered workloads classify by the small fixture, which is kinder to caches than real data.
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "steerd/answer/answer.h"
#include "steerd/base/clock.h"
#include "steerd/base/hash.h"
#include "steerd/base/mem.h"
#include "steerd/control/linker.h"

enum {
    QUERIES = 1 << 16,
    BATCH = STEER_BATCH_MAX,
    OUT_BYTES = 4096,
    ROUNDS_MAX = 100,
    QUERY_BYTES = 96
};

struct settings {
    const char *geo;
    size_t names;
    unsigned rounds, ms;
    const char *only;
    size_t count;
    bool sizes, json;
};

struct query {
    uint16_t len;
    uint8_t octets[QUERY_BYTES];
};

enum mode { ONE_BY_ONE, BATCHED, MODES };

struct workload {
    const char *name;
    void (*make)(struct query *query, struct steer_rng *rng, size_t names);
    struct query *queries;
    double ns[MODES][ROUNDS_MAX];
    uint64_t kinds[STEER_FACT_KINDS], steered;
};

static void must(enum steer_err err, const struct steer_diag *diag)
{
    char text[1400];
    if (err == STEER_OK)
        return;
    fprintf(stderr, "bench_answer: %s\n", steer_diag_format(diag, text, sizeof text));
    exit(1);
}

// ---- the world -----------------------------------------------------------------------------------

static void host_name(char *out, size_t size, size_t number)
{
    snprintf(out, size, "%.*sh%zx.bench.test.", (int)(number % 8), "abcdefg", number);
}

static void add(struct steer_zone_edit *edit, const char *owner, uint16_t type, const void *rdata,
                size_t len)
{
    struct steer_name name;
    struct steer_diag diag = {0};
    must(steer_name_parse(owner, NULL, &name, &diag), &diag);
    must(steer_zone_add(edit, name.octets, type, 300, rdata, len, NULL, &diag), &diag);
}

static void put_static_zone(struct steer_link *link, size_t names)
{
    static const uint8_t soa[] = "\2ns\5bench\4test\0\2ns\5bench\4test\0"
                                 "\0\0\0\1\0\0\16\20\0\0\3\204\0\22\165\0\0\0\1\54";
    struct steer_diag diag = {0};
    struct steer_name origin;
    must(steer_name_parse("bench.test.", NULL, &origin, &diag), &diag);
    struct steer_zone_edit *edit = steer_zone_build(&origin);
    add(edit, "bench.test.", STEER_TYPE_SOA, soa, sizeof soa - 1);
    add(edit, "bench.test.", STEER_TYPE_NS, "\2ns\5bench\4test", 15);
    for (size_t i = 0; i < names; i++) {
        char owner[64];
        const uint8_t address[4] = {10, (uint8_t)(i >> 16), (uint8_t)(i >> 8), (uint8_t)i};
        host_name(owner, sizeof owner, i);
        add(edit, owner, STEER_TYPE_A, address, sizeof address);
    }
    must(steer_link_replace_zone(link, &origin, edit, &diag), &diag);
}

static void put_document(struct steer_link *link)
{
    const char *path = STEER_SOURCE_DIR "/tests/bench/steering.yaml";
    struct steer_diag diag = {0};
    struct steer_buf text = {0};
    struct steer_document *document;
    struct steer_link_summary summary = {0};
    const struct steer_link_documents_options options = {0};
    must(steer_buf_read_file(&text, path, 1 << 20, &diag), &diag);
    must(steer_document_parse(text.data, text.len, "steering", path, &document, &diag), &diag);
    must(steer_link_documents(link, &document, 1, &options, &summary, &diag), &diag);
    steer_link_summary_fini(&summary);
    steer_document_destroy(document);
    steer_buf_fini(&text);
}

static struct steer_linker *build(const struct settings *s, struct steer_vitals *vitals)
{
    struct steer_diag diag = {0};
    struct steer_geo *geo;
    struct steer_linker *linker;
    must(steer_geo_open(&s->geo, 1, NULL, &geo, &diag), &diag);
    must(steer_linker_create(geo, vitals, &linker, &diag), &diag);
    steer_geo_unref(geo);
    struct steer_link *link = steer_link_begin(linker);
    put_static_zone(link, s->names);
    put_document(link);
    must(steer_link_prepare(link, 1, &diag), &diag);
    steer_link_commit(link);
    return linker;
}

// ---- questions -----------------------------------------------------------------------------------

static void make_query(struct query *q, const char *name, const uint8_t *network)
{
    struct steer_name wire;
    struct steer_writer w;
    struct steer_diag diag = {0};
    must(steer_name_parse(name, NULL, &wire, &diag), &diag);
    steer_writer_init(&w, q->octets, sizeof q->octets);
    const uint16_t header[6] = {0, 0, 1, 0, 0, 1};
    for (unsigned i = 0; i < 6; i++)
        steer_write_u16(&w, header[i]);
    steer_write_name(&w, wire.octets, false);
    steer_write_u16(&w, STEER_TYPE_A);
    steer_write_u16(&w, STEER_CLASS_IN);
    steer_write_u8(&w, 0);
    steer_write_u16(&w, STEER_TYPE_OPT);
    steer_write_u16(&w, STEER_UDP_SIZE);
    steer_write_u32(&w, 0);
    steer_write_u16(&w, network ? 11 : 0);
    if (network) {
        steer_write_u16(&w, STEER_EDNS_ECS);
        steer_write_u16(&w, 7);
        steer_write_u16(&w, STEER_V4);
        steer_write_u8(&w, 24);
        steer_write_u8(&w, 0);
        steer_write_bytes(&w, network, 3);
    }
    q->len = (uint16_t)w.len;
}

static void make_static(struct query *q, struct steer_rng *rng, size_t names)
{
    char name[64];
    host_name(name, sizeof name, steer_rng_next(rng) % names);
    make_query(q, name, NULL);
}

static void make_missing(struct query *q, struct steer_rng *rng, size_t names)
{
    char name[64] = "zz";
    host_name(name + 2, sizeof name - 2, steer_rng_next(rng) % names);
    make_query(q, name, NULL);
}

static void make_steered(struct query *q, struct steer_rng *rng, const char *name)
{
    uint64_t random = steer_rng_next(rng);
    const uint8_t network[3] = {(uint8_t)(1 + (random & 0xffff) % 223), (uint8_t)(random >> 16),
                                (uint8_t)(random >> 24)};
    make_query(q, name, network);
}

static void make_w2(struct query *q, struct steer_rng *rng, size_t names)
{
    (void)names;
    make_steered(q, rng, "w2.geo.test.");
}

static void make_w3(struct query *q, struct steer_rng *rng, size_t names)
{
    (void)names;
    make_steered(q, rng, "w3.geo.test.");
}

// ---- measuring -----------------------------------------------------------------------------------

struct bench {
    const struct steer_world *world;
    struct steer_answer_settings answers;
    struct steer_rng rng;
    struct steer_ask asks[BATCH];
    struct steer_prepared prepared[BATCH];
    uint8_t out[BATCH * OUT_BYTES];
};

// As the UDP workers do it: answers packed one behind the other.
__attribute__((noinline)) static void answer_batch(struct bench *b, struct workload *w,
                                                   enum mode mode, size_t first)
{
    size_t at = 0;
    for (unsigned i = 0; i < BATCH; i++) {
        const struct query *q = &w->queries[first + i];
        b->asks[i] = (struct steer_ask){.message = q->octets,
                                        .len = q->len,
                                        .client = {STEER_V4, {127, 0, 0, 1}},
                                        .random = steer_rng_next(&b->rng)};
        if (mode == BATCHED)
            steer_answer_prepare(&b->asks[i], &b->prepared[i]);
    }
    if (mode == BATCHED)
        steer_answer_locate(b->world, b->asks, b->prepared, BATCH);
    for (unsigned i = 0; i < BATCH; i++) {
        struct steer_facts facts;
        size_t len =
            mode == BATCHED
                ? steer_answer_render(b->world, &b->answers, &b->asks[i], &b->prepared[i],
                                      b->out + at, OUT_BYTES, &facts)
                : steer_answer(b->world, &b->answers, &b->asks[i], b->out + at, OUT_BYTES, &facts);
        at += (len + 63) & ~(size_t)63;
        w->kinds[facts.kind]++;
        w->steered += facts.steered;
    }
}

// The thread's CPU time: what other processes take of the core does not count.
static uint64_t cpu_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (uint64_t)t.tv_sec * STEER_NS_PER_S + (uint64_t)t.tv_nsec;
}

static double measure(struct bench *b, struct workload *w, enum mode mode, unsigned ms)
{
    uint64_t begin_ns = cpu_ns(), now_ns;
    size_t count = 0, at = 0;
    do {
        for (unsigned i = 0; i < 64; i++) {
            answer_batch(b, w, mode, at);
            at = (at + BATCH) % QUERIES;
        }
        count += 64 * BATCH;
        now_ns = cpu_ns();
    } while (now_ns - begin_ns < ms * STEER_NS_PER_MS);
    return (double)(now_ns - begin_ns) / (double)count;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void report(struct workload *w, unsigned rounds)
{
    uint64_t all = 0;
    for (unsigned k = 0; k < STEER_FACT_KINDS; k++)
        all += w->kinds[k];
    printf("%-10s", w->name);
    for (unsigned m = 0; m < MODES; m++) {
        qsort(w->ns[m], rounds, sizeof w->ns[m][0], by_value);
        printf("  %7.1f %7.1f-%-7.1f", w->ns[m][rounds / 2], w->ns[m][0], w->ns[m][rounds - 1]);
    }
    printf("  %5.1f %% data  %5.1f %% steered\n",
           100.0 * (double)w->kinds[STEER_FACT_POSITIVE] / (double)all,
           100.0 * (double)w->steered / (double)all);
}

static void report_json(struct workload *workloads, size_t count, unsigned rounds)
{
    putchar('{');
    for (size_t i = 0; i < count; i++) {
        double *ns = workloads[i].ns[BATCHED];
        qsort(ns, rounds, sizeof *ns, by_value);
        printf("%s\"%s\": [%.1f, %.1f, %.1f]", i ? ", " : "", workloads[i].name, ns[0],
               ns[rounds / 2], ns[rounds - 1]);
    }
    puts("}");
}

static void print_sizes(void)
{
    const struct {
        const char *name;
        size_t bytes;
    } sizes[] = {
        {"steer_ask", sizeof(struct steer_ask)},
        {"steer_prepared", sizeof(struct steer_prepared)},
        {"  steer_query in it", sizeof(struct steer_query)},
        {"  steer_name in that", sizeof(struct steer_name)},
        {"  steer_name_hashes in that", sizeof(struct steer_name_hashes)},
        {"  steer_edns in that", sizeof(struct steer_edns)},
        {"steer_facts", sizeof(struct steer_facts)},
        {"steer_zone", sizeof(struct steer_zone)},
        {"steer_zone_node, before its RRsets", sizeof(struct steer_zone_node)},
        {"  steer_rrset, each", sizeof(struct steer_rrset)},
        {"steer_list, with 7 outcomes",
         sizeof(struct steer_list) + STEER_LIST_INLINE * sizeof(struct steer_list_entry)},
        {"steer_answer_slot, before its RRs", sizeof(struct steer_answer_slot)},
    };
    for (unsigned i = 0; i < STEER_ARRAY_LEN(sizes); i++)
        printf("%-36s %5zu octets, %zu lines\n", sizes[i].name, sizes[i].bytes,
               (sizes[i].bytes + STEER_LINE_BYTES - 1) / STEER_LINE_BYTES);
}

static void parse_options(int argc, char **argv, struct settings *s)
{
    static const struct option options[] = {
        {"geo", 1, NULL, 'g'},   {"names", 1, NULL, 'n'}, {"rounds", 1, NULL, 'r'},
        {"ms", 1, NULL, 'm'},    {"only", 1, NULL, 'o'},  {"count", 1, NULL, 'c'},
        {"sizes", 0, NULL, 's'}, {"json", 0, NULL, 'j'},  {0}};
    *s = (struct settings){
        .geo = STEER_SOURCE_DIR "/geodata/country.mmdb", .names = 100000, .rounds = 5, .ms = 300};
    bool good = true;
    for (int o; (o = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        if (o == 'g')
            s->geo = optarg;
        else if (o == 'n')
            s->names = strtoul(optarg, NULL, 10);
        else if (o == 'r')
            s->rounds = (unsigned)strtoul(optarg, NULL, 10);
        else if (o == 'm')
            s->ms = (unsigned)strtoul(optarg, NULL, 10);
        else if (o == 'o')
            s->only = optarg;
        else if (o == 'c')
            s->count = strtoul(optarg, NULL, 10);
        else if (o == 's')
            s->sizes = true;
        else if (o == 'j')
            s->json = true;
        else
            good = false;
    }
    if (good && optind == argc && !s->only == !s->count && s->names && s->rounds &&
        s->rounds <= ROUNDS_MAX && s->ms)
        return;
    fputs("usage: bench_answer [--geo FILE] [--names N] [--rounds N] [--ms N] [--json]\n"
          "                    [--only WORKLOAD --count N] [--sizes]\n",
          stderr);
    exit(2);
}

int main(int argc, char **argv)
{
    static struct bench bench;
    static struct workload workloads[] = {{.name = "W1", .make = make_static},
                                          {.name = "W1 missing", .make = make_missing},
                                          {.name = "W2", .make = make_w2},
                                          {.name = "W3", .make = make_w3}};
    struct settings settings;
    parse_options(argc, argv, &settings);
    if (settings.sizes) {
        print_sizes();
        return 0;
    }
    struct steer_vitals *vitals = steer_vitals_create();
    struct steer_linker *linker = build(&settings, vitals);
    bench.world = steer_linker_world(linker);
    bench.answers.udp_size = STEER_UDP_SIZE;
    steer_rng_init(&bench.rng, 1);
    for (unsigned i = 0; i < STEER_ARRAY_LEN(workloads); i++) {
        struct workload *w = &workloads[i];
        if (settings.only && strcmp(settings.only, w->name) != 0)
            continue;
        w->queries = steer_calloc(QUERIES, sizeof *w->queries);
        for (size_t k = 0; k < QUERIES; k++)
            w->make(&w->queries[k], &bench.rng, settings.names);
        if (!settings.only)
            measure(&bench, w, BATCHED, 50); // warms up
        for (size_t at = 0; at < settings.count; at += BATCH)
            answer_batch(&bench, w, BATCHED, at % QUERIES);
    }
    for (unsigned round = 0; !settings.only && round < settings.rounds; round++)
        for (unsigned i = 0; i < STEER_ARRAY_LEN(workloads); i++)
            for (unsigned m = 0; m < MODES; m++)
                workloads[i].ns[m][round] =
                    measure(&bench, &workloads[i], (enum mode)m, settings.ms);
    if (settings.json) {
        report_json(workloads, STEER_ARRAY_LEN(workloads), settings.rounds);
    } else if (!settings.only) {
        printf(
            "ns per query   one by one (min-max)    in batches of %d (min-max)   %zu names, %s\n",
            BATCH, settings.names, settings.geo);
        for (unsigned i = 0; i < STEER_ARRAY_LEN(workloads); i++)
            report(&workloads[i], settings.rounds);
    }
    for (unsigned i = 0; i < STEER_ARRAY_LEN(workloads); i++)
        free(workloads[i].queries);
    steer_linker_destroy(linker);
    steer_vitals_destroy(vitals);
    return 0;
}
