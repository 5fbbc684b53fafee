// SPDX-License-Identifier: GPL-3.0-or-later
#include "steerd/control/control.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "control_internal.h"
#include "steerd/base/clock.h"
#include "steerd/base/log.h"
#include "steerd/base/mem.h"

enum { TICK_S = 1 };

// ---- calls ---------------------------------------------------------------------------------------

enum steer_err control_call(struct steer_control *c,
                            enum steer_err (*run)(struct steer_control *, void *,
                                                  struct steer_diag *),
                            void *arg, struct steer_diag *diag)
{
    struct op op = {.run = run, .arg = arg, .diag = diag};
    pthread_mutex_lock(&c->mutex);
    if (c->stopping) {
        pthread_mutex_unlock(&c->mutex);
        return steer_diag_set(diag, STEER_ESTOPPED, "steerd is shutting down");
    }
    c->callers++;
    if (c->last)
        c->last->next = &op;
    else
        c->first = &op;
    c->last = &op;
    pthread_cond_signal(&c->wake);
    while (!op.done)
        pthread_cond_wait(&c->done, &c->mutex);
    if (--c->callers == 0)
        pthread_cond_broadcast(&c->done);
    pthread_mutex_unlock(&c->mutex);
    return op.result;
}

// ---- probe results -------------------------------------------------------------------------------

// On the probe thread.
static void report(void *ctx, const struct steer_probe_result *r)
{
    struct steer_control *c = ctx;
    pthread_mutex_lock(&c->mutex);
    c->results.items = steer_grow(c->results.items, &c->results.cap, c->results.count + 1,
                                  sizeof *c->results.items);
    struct result *to = &c->results.items[c->results.count++];
    *to = (struct result){.key = r->key, .pass = r->pass, .at_unix_s = r->at_unix_s};
    strncpy(to->reason, r->reason, sizeof to->reason - 1);
    pthread_cond_signal(&c->wake);
    pthread_mutex_unlock(&c->mutex);
}

static struct results swap_results(struct steer_control *c)
{
    pthread_mutex_lock(&c->mutex);
    struct results taken = c->results;
    c->results = (struct results){0};
    pthread_mutex_unlock(&c->mutex);
    return taken;
}

// A verdict that changed by a result.
struct turn {
    const struct steer_vital *vital;
    const struct result *by;
    enum steer_verdict verdict;
};

struct turns {
    struct turn *items;
    size_t count, cap;
};

static void observe(struct steer_control *c, const struct result *r, struct turns *turns)
{
    struct steer_vital *vital = steer_vitals_by_key(c->vitals, r->key);
    if (!vital)
        return; // its target went while the probe was under way
    enum steer_verdict before = vital->state.verdict;
    if (steer_verdict_observe(&vital->state, &vital->hysteresis, r->pass, r->reason,
                              r->at_unix_s)) {
        turns->items =
            steer_grow(turns->items, &turns->cap, turns->count + 1, sizeof *turns->items);
        turns->items[turns->count++] = (struct turn){vital, r, vital->state.verdict};
    }
    if (vital->state.verdict == before || vital->unstored)
        return;
    c->unstored =
        steer_grow(c->unstored, &c->unstored_cap, c->unstored_count + 1, sizeof *c->unstored);
    c->unstored[c->unstored_count++] = vital->key;
    vital->unstored = true;
}

// When many fail at once, a pool of them is evaluated once for all whose results came together.
static void turn(struct steer_control *c, const struct turns *turns)
{
    const char **names = steer_calloc(turns->count, sizeof(char *));
    for (size_t i = 0; i < turns->count; i++)
        names[i] = turns->items[i].vital->endpoint;
    const uint32_t cells = steer_linker_refresh_endpoints(c->linker, names, turns->count);
    free(names);
    c->verdict_changes += turns->count;
    for (size_t i = 0; i < turns->count; i++) {
        const struct turn *t = &turns->items[i];
        steer_log(STEER_LOG_INFO, "control", "endpoint %s is %s by check %s (%s)",
                  t->vital->endpoint, steer_verdict_text(t->verdict), t->vital->check,
                  t->by->reason);
    }
    steer_log(STEER_LOG_INFO, "control", "%zu verdict%s changed %u cells", turns->count,
              turns->count == 1 ? "" : "s", cells);
}

static enum steer_err store_verdict(struct steer_control *c, uint64_t key, struct steer_diag *diag)
{
    const struct steer_vital *vital = steer_vitals_by_key(c->vitals, key);
    if (!vital || vital->state.verdict == STEER_UNKNOWN)
        return STEER_OK;
    struct steer_store_verdict v = {vital->endpoint, vital->check,
                                    steer_verdict_text(vital->state.verdict),
                                    vital->state.since_unix_s, vital->state.reason};
    enum steer_err err = steer_store_put_verdict(c->store, &v, diag);
    return err == STEER_ENOTFOUND ? STEER_OK : err; // its endpoint or check went meanwhile
}

// One transaction for all that wait; what cannot be stored now waits for the next batch.
static void store_verdicts(struct steer_control *c)
{
    struct steer_diag diag = {0};
    enum steer_err err = steer_store_begin(c->store, &diag);
    for (size_t i = 0; i < c->unstored_count && err == STEER_OK; i++)
        err = store_verdict(c, c->unstored[i], &diag);
    if (err == STEER_OK)
        err = steer_store_commit(c->store, &diag);
    if (err != STEER_OK) {
        steer_store_rollback(c->store);
        if (!c->store_failing) // once, not each second
            steer_log(STEER_LOG_ERROR, "control", "verdicts are in force but not stored: %s",
                      diag.message);
        c->store_failing = true;
        return;
    }
    for (size_t i = 0; i < c->unstored_count; i++) {
        struct steer_vital *vital = steer_vitals_by_key(c->vitals, c->unstored[i]);
        if (vital)
            vital->unstored = false;
    }
    c->unstored_count = 0;
    if (c->store_failing)
        steer_log(STEER_LOG_INFO, "control", "verdicts are stored again");
    c->store_failing = false;
}

void control_take_results(struct steer_control *c, bool store)
{
    struct results taken = swap_results(c);
    struct turns turns = {0};
    for (size_t i = 0; i < taken.count; i++)
        observe(c, &taken.items[i], &turns);
    if (turns.count)
        turn(c, &turns);
    if (store && c->unstored_count)
        store_verdicts(c);
    free(turns.items);
    free(taken.items);
}

// What may not wait for a long change.
static void pause_change(void *ctx)
{
    control_take_results(ctx, false);
}

// ---- following the catalogue ---------------------------------------------------------------------

static void put_target(void *ctx, const struct steer_vital *vital,
                       const struct steer_object *endpoint, const struct steer_object *object)
{
    struct steer_control *c = ctx;
    const struct steer_endpoint *e = &endpoint->endpoint;
    const struct steer_check *check = &object->check;
    static const enum steer_probe_kind kinds[] = {STEER_PROBE_HTTP, STEER_PROBE_HTTPS,
                                                  STEER_PROBE_TCP};
    bool v6 = e->has_v6 && (check->prefer_v6 || !e->has_v4);
    if (!c->prober || (!e->has_v4 && !e->has_v6))
        return;
    struct steer_probe_target target = {
        .key = vital->key,
        .kind = kinds[check->kind],
        .addr = v6 ? e->v6 : e->v4,
        .port = check->port,
        .interval_ms = check->interval_ms,
        .timeout_ms = check->timeout_ms,
        .host = check->host,
        .path = check->path,
        .method = check->method,
        .expect_body = check->expect_body,
        .status_min = check->status_min,
        .status_max = check->status_max,
        .verify = check->verify,
    };
    steer_prober_put(c->prober, &target);
}

static void drop_target(void *ctx, uint64_t key)
{
    struct steer_control *c = ctx;
    if (c->prober)
        steer_prober_remove(c->prober, key);
}

void control_follow(struct steer_control *c)
{
    steer_vitals_follow(c->vitals, steer_linker_catalog(c->linker), put_target, drop_target, c);
    control_follow_measures(c);
}

// ---- the thread ----------------------------------------------------------------------------------

static void wait_for_work(struct steer_control *c)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += TICK_S;
    while (!c->first && !c->results.count && !c->stopping)
        if (pthread_cond_timedwait(&c->wake, &c->mutex, &until) == ETIMEDOUT)
            break;
}

static void run_op(struct steer_control *c, struct op *op)
{
    op->result = op->run(c, op->arg, op->diag);
    pthread_mutex_lock(&c->mutex);
    op->done = true;
    pthread_cond_broadcast(&c->done);
    pthread_mutex_unlock(&c->mutex);
}

static void *control_main(void *arg)
{
    struct steer_control *c = arg;
    for (;;) {
        pthread_mutex_lock(&c->mutex);
        wait_for_work(c);
        struct op *op = c->first;
        if (op) {
            c->first = op->next;
            if (!c->first)
                c->last = NULL;
        }
        bool end = c->stopping && !op;
        pthread_mutex_unlock(&c->mutex);
        control_take_results(c, true); // verdicts overtake edits
        if (end)
            return NULL;
        if (op)
            run_op(c, op);
        control_expire_overrides(c, steer_clock_unix_s());
        control_freeze_due(c, steer_clock_unix_s());
        control_sound_alarms(c);
    }
}

static void init_sync(struct steer_control *c)
{
    pthread_condattr_t attr;
    pthread_mutex_init(&c->mutex, NULL);
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&c->wake, &attr);
    pthread_cond_init(&c->done, &attr);
    pthread_condattr_destroy(&attr);
}

static enum steer_err start_prober(struct steer_control *c, const struct steer_control_options *o,
                                   struct steer_diag *diag)
{
    struct steer_prober_options options = {
        .ca_file = o->ca_file, .seed = steer_clock_mono_ns(), .report = report, .ctx = c};
    if (!o->probing)
        return STEER_OK;
    return steer_prober_start(&options, &c->prober, diag);
}

static enum steer_err start_thread(struct steer_control *c, struct steer_diag *diag)
{
    sigset_t all;
    sigset_t old;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    int rc = pthread_create(&c->thread, NULL, control_main, c);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    if (rc != 0)
        return steer_diag_set(diag, STEER_EIO, "cannot start control's thread: %s", strerror(rc));
    pthread_setname_np(c->thread, "control");
    return STEER_OK;
}

static void control_free(struct steer_control *c)
{
    steer_prober_stop(c->prober);
    steer_linker_destroy(c->linker);
    steer_vitals_destroy(c->vitals);
    steer_measures_destroy(c->measures);
    steer_store_close(c->store);
    for (size_t i = 0; i < c->document_count; i++) {
        free(c->documents[i].name);
        free(c->documents[i].text);
    }
    for (size_t i = 0; i < c->geo_count; i++)
        free(c->geo_files[i]);
    free(c->geo_files);
    free(c->documents);
    free(c->unstored);
    free(c->results.items);
    pthread_mutex_destroy(&c->mutex);
    pthread_cond_destroy(&c->wake);
    pthread_cond_destroy(&c->done);
    free(c);
}

enum steer_err steer_control_start(const struct steer_control_options *options,
                                   struct steer_control **control, struct steer_diag *diag)
{
    struct steer_control *c = steer_calloc(1, sizeof *c);
    struct steer_geo *geo = NULL;
    init_sync(c);
    c->started_unix_s = steer_clock_unix_s();
    c->geo_count = options->geo_count;
    c->geo_keys = options->geo_keys;
    c->geo_files = steer_calloc(c->geo_count, sizeof *c->geo_files);
    for (size_t i = 0; i < c->geo_count; i++)
        c->geo_files[i] = steer_strdup(options->geo_files[i]);
    c->vitals = steer_vitals_create();
    c->measures = steer_measures_create();
    enum steer_err err =
        steer_geo_open(options->geo_files, options->geo_count, &options->geo_keys, &geo, diag);
    if (err == STEER_OK)
        err = steer_linker_create(geo, c->vitals, &c->linker, diag);
    steer_geo_unref(geo);
    if (err == STEER_OK)
        err = steer_store_open(options->data_folder, &c->store, diag);
    if (err == STEER_OK)
        err = control_load(c, diag);
    if (err == STEER_OK)
        err = start_prober(c, options, diag);
    if (err == STEER_OK) {
        c->earlier_end_unix_s = control_earlier_answers_end(c);
        control_expire_overrides(c, c->started_unix_s);
        control_follow(c);
        steer_linker_set_pause(c->linker, pause_change, c);
        err = start_thread(c, diag);
    }
    if (err != STEER_OK) {
        control_free(c);
        return err;
    }
    *control = c;
    return STEER_OK;
}

void steer_control_stop(struct steer_control *c)
{
    if (!c)
        return;
    pthread_mutex_lock(&c->mutex);
    c->stopping = true;
    pthread_cond_signal(&c->wake);
    pthread_mutex_unlock(&c->mutex);
    pthread_join(c->thread, NULL);
    pthread_mutex_lock(&c->mutex);
    while (c->callers) // their answers are there; they have only to wake up
        pthread_cond_wait(&c->done, &c->mutex);
    pthread_mutex_unlock(&c->mutex);
    control_free(c);
}

struct steer_publisher *steer_control_publisher(struct steer_control *c)
{
    return steer_linker_publisher(c->linker);
}

// ---- geo data ------------------------------------------------------------------------------------

static enum steer_err run_reload_geo(struct steer_control *c, void *arg, struct steer_diag *diag)
{
    uint64_t begin = steer_clock_mono_ns();
    struct steer_link *link = steer_link_begin(c->linker);
    steer_link_set_geo(link, arg);
    enum steer_err err = control_prepare(c, link, begin, diag);
    if (err != STEER_OK)
        return err;
    const struct control_commit commit = {.action = "geo reload", .subject = ""};
    return control_commit(c, link, &commit, diag);
}

enum steer_err steer_control_reload_geo(struct steer_control *c, struct steer_diag *diag)
{
    struct steer_geo *geo;
    enum steer_err err =
        steer_geo_open((const char *const *)c->geo_files, c->geo_count, &c->geo_keys, &geo, diag);
    if (err != STEER_OK)
        return err;
    err = control_call(c, run_reload_geo, geo, diag);
    steer_geo_unref(geo);
    if (err == STEER_OK)
        steer_log(STEER_LOG_INFO, "control", "geo data was read again from %zu files",
                  c->geo_count);
    return err;
}
