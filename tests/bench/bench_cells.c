// SPDX-License-Identifier: GPL-3.0-or-later
// bench_cells [--records N] [--rounds N] [--geo FILE] [--shared] [--draw MODE] [--mixed] [--networks N]: what the control side costs with N steered records like
// those of `scripts/bench --curves`: applying them, one edited record, and a verdict that touches all of them
// (milliseconds, and microseconds per cell). Least and median of the rounds; no socket, no store.
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "grow.h"
#include "steerd/base/mem.h"
#include "steerd/control/linker.h"

enum { ROUNDS_MAX = 1000 };

struct settings {
    const char *geo;
    struct grow grow;
    unsigned rounds;
};

static void must(enum steer_err err, const struct steer_diag *diag)
{
    char text[1400];
    if (err == STEER_OK)
        return;
    fprintf(stderr, "bench_cells: %s\n", steer_diag_format(diag, text, sizeof text));
    exit(1);
}

static double now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static int by_value(const void *a, const void *b)
{
    const double x = *(const double *)a;
    const double y = *(const double *)b;
    return (x > y) - (x < y);
}

static void report(const char *what, double *ms, unsigned rounds, uint64_t cells)
{
    qsort(ms, rounds, sizeof *ms, by_value);
    printf("%-28s %9.3f ms  median %9.3f", what, ms[0], ms[rounds / 2]);
    if (cells)
        printf("  %6.3f us a cell", 1e3 * ms[0] / (double)cells);
    printf("\n");
}

// ---- what is measured ----------------------------------------------------------------------------

// What control does with a document that was parsed, without the store; returns milliseconds.
static double apply(struct steer_linker *linker, const struct steer_buf *text)
{
    struct steer_diag diag = {0};
    struct steer_document *document;
    struct steer_link_summary summary = {0};
    const struct steer_link_documents_options options = {0};
    must(steer_document_parse(text->data, text->len, "bench", "bench.yaml", &document, &diag),
         &diag);
    const double begin = now_ms();
    struct steer_link *link = steer_link_begin(linker);
    must(steer_link_documents(link, &document, 1, &options, &summary, &diag), &diag);
    must(steer_link_prepare(link, 1, &diag), &diag);
    steer_link_commit(link);
    const double took = now_ms() - begin;
    steer_link_summary_fini(&summary);
    steer_document_destroy(document);
    return took;
}

enum edit { A_RECORD, AN_ENDPOINT };

static void edits(struct steer_linker *linker, enum edit what, unsigned rounds)
{
    static double ms[ROUNDS_MAX];
    for (unsigned i = 0; i < rounds; i++) {
        struct steer_buf text = {0};
        if (what == A_RECORD)
            steer_buf_printf(&text,
                             "zone: geo.test\nrecords:\n  edited: {ttl: 60, steer: {weighted: "
                             "[{weight: %u, to: {pool: grow-a}}, {weight: 7, to: {pool: "
                             "grow-b}}]}}\n",
                             i + 1);
        else
            steer_buf_printf(&text, "endpoints:\n  spare: {ipv4: 192.0.2.%u}\n", i % 200 + 1);
        ms[i] = apply(linker, &text);
        steer_buf_fini(&text);
    }
    report(what == A_RECORD ? "one record edited" : "an endpoint nobody uses", ms, rounds, 0);
}

// A verdict in the form of an override, given and taken back in turn.
static void verdicts(struct steer_linker *linker, struct steer_vitals *vitals, unsigned rounds)
{
    static double down[ROUNDS_MAX], up[ROUNDS_MAX];
    char kind[] = "pool", target[] = "grow-a", reason[] = "bench", owner[] = "";
    const struct steer_override o = {.kind = kind,
                                     .target = target,
                                     .reason = reason,
                                     .owner = owner,
                                     .state = STEER_FORCED_DOWN};
    struct steer_cells_stats before, after;
    uint64_t cells = 0;
    for (unsigned i = 0; i < rounds; i++) {
        steer_cells_stats(steer_linker_cells(linker), &before);
        steer_vitals_override(vitals, &o);
        double begin = now_ms();
        steer_linker_refresh(linker, STEER_POOL, target);
        down[i] = now_ms() - begin;
        steer_cells_stats(steer_linker_cells(linker), &after);
        cells = after.evaluations - before.evaluations;
        steer_vitals_clear_override(vitals, kind, target);
        begin = now_ms();
        steer_linker_refresh(linker, STEER_POOL, target);
        up[i] = now_ms() - begin;
    }
    printf("cells: %llu\n", (unsigned long long)cells);
    report("a pool goes down", down, rounds, cells);
    report("a pool comes up", up, rounds, cells);
}

static void run(const struct settings *s)
{
    struct steer_diag diag = {0};
    struct steer_geo *geo;
    struct steer_linker *linker;
    struct steer_buf text = {0};
    struct steer_vitals *vitals = steer_vitals_create();
    must(steer_geo_open(&s->geo, 1, NULL, &geo, &diag), &diag);
    must(steer_linker_create(geo, vitals, &linker, &diag), &diag);
    grow_document(&text, &s->grow);
    printf("%u steered records, %s: least of the rounds\n", s->grow.records,
           s->grow.shared ? "sharing distributions" : "each with weights of its own");
    double first = apply(linker, &text);
    report("applied", &first, 1, 0);
    const struct steer_linker_maps maps = steer_linker_maps(linker);
    printf("class tables: %zu, %.1f MiB\n", maps.tables, (double)maps.bytes / (1 << 20));
    steer_vitals_follow(vitals, steer_linker_catalog(linker), NULL, NULL, NULL);
    edits(linker, A_RECORD, s->rounds);
    edits(linker, AN_ENDPOINT, s->rounds);
    verdicts(linker, vitals, s->rounds);
    steer_linker_destroy(linker);
    steer_vitals_destroy(vitals);
    steer_geo_unref(geo);
    steer_buf_fini(&text);
}

int main(int argc, char **argv)
{
    static const struct option options[] = {{"records", 1, NULL, 'n'},  {"rounds", 1, NULL, 'r'},
                                            {"geo", 1, NULL, 'g'},      {"shared", 0, NULL, 's'},
                                            {"draw", 1, NULL, 'd'},     {"mixed", 0, NULL, 'm'},
                                            {"networks", 1, NULL, 'w'}, {NULL, 0, NULL, 0}};
    struct settings s = {
        .geo = STEER_SOURCE_DIR "/geodata/country.mmdb", .grow = {.records = 10000}, .rounds = 9};
    int option;
    while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
        if (option == 'n')
            s.grow.records = (unsigned)strtoul(optarg, NULL, 10);
        else if (option == 'r')
            s.rounds = (unsigned)strtoul(optarg, NULL, 10);
        else if (option == 'g')
            s.geo = optarg;
        else if (option == 's')
            s.grow.shared = true;
        else if (option == 'd')
            s.grow.draw = optarg;
        else if (option == 'w')
            s.grow.networks = (unsigned)strtoul(optarg, NULL, 10);
        else if (option == 'm')
            s.grow.mixed = true;
        else
            return 2;
    }
    if (s.rounds < 1 || s.rounds > ROUNDS_MAX || s.grow.records < 1 || s.grow.records > 60000) {
        fputs("bench_cells: --records 1 to 60000, --rounds 1 to 1000\n", stderr);
        return 2;
    }
    run(&s);
    return 0;
}
