// SPDX-License-Identifier: GPL-3.0-or-later
// bench_plan [--records N] [--geo FILE] [--shared] [--networks N] [--draw MODE] [--one] [--all]: a plan over N steered
// records, all of which change (--one: one does), as control works it out: milliseconds of CPU for the change's preparation
// with its assertions and for the plan, octets of the reply, and the memory that the plan needed at its height.
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "grow.h"
#include "steerd/base/mem.h"
#include "steerd/control/linker.h"

struct settings {
    const char *geo;
    struct grow grow;
    bool one, all;
};

static void must(enum steer_err err, const struct steer_diag *diag)
{
    char text[1400];
    if (err == STEER_OK)
        return;
    fprintf(stderr, "bench_plan: %s\n", steer_diag_format(diag, text, sizeof text));
    exit(1);
}

static double cpu_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t); // other load does not count
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

// A line of /proc/self/status, in MiB.
static double status_mib(const char *key)
{
    char line[256];
    double kib = 0;
    FILE *file = fopen("/proc/self/status", "r");
    while (file && fgets(line, sizeof line, file))
        if (strncmp(line, key, strlen(key)) == 0)
            kib = strtod(line + strlen(key) + 1, NULL);
    if (file)
        fclose(file);
    return kib / 1024;
}

// The height of memory is counted from now on (proc(5), clear_refs).
static void forget_height(void)
{
    FILE *file = fopen("/proc/self/clear_refs", "w");
    if (file) {
        fputs("5", file);
        fclose(file);
    }
}

static struct steer_link *prepared(struct steer_linker *linker, const struct steer_buf *text,
                                   bool planning, double *took_ms)
{
    struct steer_diag diag = {0};
    struct steer_document *document;
    struct steer_link_summary summary = {0};
    const struct steer_link_documents_options options = {0};
    must(steer_document_parse(text->data, text->len, "bench", "bench.yaml", &document, &diag),
         &diag);
    const double begin = cpu_ms();
    struct steer_link *link = steer_link_begin(linker);
    if (planning)
        steer_link_set_planning(link);
    must(steer_link_documents(link, &document, 1, &options, &summary, &diag), &diag);
    must(steer_link_prepare(link, 1, &diag), &diag);
    *took_ms = cpu_ms() - begin;
    steer_link_summary_fini(&summary);
    steer_document_destroy(document);
    return link;
}

static void change(const struct settings *s, struct steer_buf *text)
{
    struct grow grow = s->grow;
    grow.turn = 2;
    if (!s->one) {
        grow_document(text, &grow);
        return;
    }
    steer_buf_puts(text, "zone: geo.test\nrecords:\n");
    add_record(text, &grow, grow.records / 2);
}

static void run(const struct settings *s)
{
    struct steer_diag diag = {0};
    struct steer_geo *geo;
    struct steer_linker *linker;
    struct steer_buf text = {0};
    struct steer_vitals *vitals = steer_vitals_create();
    double applied, linked;
    struct steer_buf reply = {0};
    must(steer_geo_open(&s->geo, 1, NULL, &geo, &diag), &diag);
    must(steer_linker_create(geo, vitals, &linker, &diag), &diag);
    grow_document(&text, &s->grow);
    steer_link_commit(prepared(linker, &text, false, &applied));
    steer_buf_clear(&text);
    change(s, &text);
    struct steer_link *link = prepared(linker, &text, true, &linked);
    struct steer_plan *plan = steer_link_plan(link, s->all);
    steer_link_abort(link);
    forget_height();
    const double before_mib = status_mib("VmRSS"), begin = cpu_ms();
    must(steer_plan_run(plan, &(struct steer_plan_how){.all = s->all}, &reply, &diag), &diag);
    const double took = cpu_ms() - begin;
    printf("%u records, %s: prepared %.0f ms, planned %.0f ms, reply %.2f MiB, RSS %.0f MiB, "
           "at its height %+.0f MiB\n",
           s->grow.records, s->one ? "one changes" : "all change", linked, took,
           (double)reply.len / (1 << 20), before_mib, status_mib("VmHWM") - before_mib);
    steer_buf_fini(&reply);
    steer_plan_destroy(plan);
    steer_linker_destroy(linker);
    steer_vitals_destroy(vitals);
    steer_geo_unref(geo);
    steer_buf_fini(&text);
}

int main(int argc, char **argv)
{
    static const struct option options[] = {{"records", 1, NULL, 'n'}, {"geo", 1, NULL, 'g'},
                                            {"shared", 0, NULL, 's'},  {"networks", 1, NULL, 'w'},
                                            {"draw", 1, NULL, 'd'},    {"one", 0, NULL, '1'},
                                            {"all", 0, NULL, 'a'},     {NULL, 0, NULL, 0}};
    struct settings s = {.geo = STEER_SOURCE_DIR "/geodata/country.mmdb",
                         .grow = {.records = 1000, .turn = 1}};
    int option;
    while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
        if (option == 'n')
            s.grow.records = (unsigned)strtoul(optarg, NULL, 10);
        else if (option == 'g')
            s.geo = optarg;
        else if (option == 's')
            s.grow.shared = true;
        else if (option == 'w')
            s.grow.networks = (unsigned)strtoul(optarg, NULL, 10);
        else if (option == 'd')
            s.grow.draw = optarg;
        else if (option == '1')
            s.one = true;
        else if (option == 'a')
            s.all = true;
        else
            return 2;
    }
    if (s.grow.records < 1 || s.grow.records > 60000) {
        fputs("bench_plan: --records 1 to 60000\n", stderr);
        return 2;
    }
    run(&s);
    return 0;
}
