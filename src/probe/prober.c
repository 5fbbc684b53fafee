// SPDX-License-Identifier: GPL-3.0-or-later
// The probe thread: commands in, probes at their times, results out.
#include "steerd/probe/probe.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "probe_internal.h"
#include "steerd/base/clock.h"
#include "steerd/base/log.h"
#include "steerd/base/mem.h"

#define DEFAULT_IN_FLIGHT 200 // beyond it libcurl's cost of a probe grows
#define FIRST_WITHIN_MS   1000
#define LONGEST_WAIT_MS   60000

struct probe_command {
    struct probe_command *next;
    struct probe_target *put; // NULL: remove
    uint64_t key;
};

static void count(_Atomic uint64_t *counter)
{
    atomic_fetch_add_explicit(counter, 1, memory_order_relaxed);
}

static void set_in_flight(struct steer_prober *prober, uint32_t value)
{
    prober->in_flight = value;
    atomic_store_explicit(&prober->stats.in_flight, value, memory_order_relaxed);
}

// Descriptors

bool probe_watch(struct steer_prober *prober, int fd, uint32_t events, probe_ready_fn *ready,
                 void *ctx)
{
    size_t index = (size_t)fd;
    if (index >= prober->watch_count) {
        size_t had = prober->watch_count;
        prober->watches =
            steer_grow(prober->watches, &prober->watch_count, index + 1, sizeof *prober->watches);
        memset(prober->watches + had, 0, (prober->watch_count - had) * sizeof *prober->watches);
    }
    struct probe_watch *watch = &prober->watches[index];
    int op = watch->ready ? EPOLL_CTL_MOD : EPOLL_CTL_ADD;
    if (!watch->ready)
        watch->generation++;
    struct epoll_event event = {.events = events,
                                .data.u64 = (uint64_t)watch->generation << 32 | index};
    if (epoll_ctl(prober->epoll_fd, op, fd, &event) != 0)
        return false;
    watch->ready = ready;
    watch->ctx = ctx;
    return true;
}

void probe_unwatch(struct steer_prober *prober, int fd)
{
    if ((size_t)fd >= prober->watch_count || !prober->watches[fd].ready)
        return;
    epoll_ctl(prober->epoll_fd, EPOLL_CTL_DEL, fd, NULL);
    prober->watches[fd].ready = NULL;
}

static void woken(struct steer_prober *prober, int fd, uint32_t events, void *ctx)
{
    uint64_t value;
    (void)prober, (void)events, (void)ctx;
    ssize_t got = read(fd, &value, sizeof value); // only resets it: the queue is looked at anyway
    (void)got;
}

static void dispatch(struct steer_prober *prober, const struct epoll_event *event)
{
    uint64_t tag = event->data.u64;
    struct probe_watch watch = prober->watches[(uint32_t)tag];
    if (watch.ready && watch.generation == tag >> 32)
        watch.ready(prober, (int)(uint32_t)tag, event->events, watch.ctx);
}

// Probes

uint32_t probe_took_ms(const struct probe_target *target)
{
    return (uint32_t)((steer_clock_mono_ns() - target->started_ns + STEER_NS_PER_MS / 2) /
                      STEER_NS_PER_MS);
}

void probe_finish(struct steer_prober *prober, struct probe_target *target, bool pass,
                  const char *reason)
{
    struct steer_probe_result result = {
        .key = target->spec.key,
        .pass = pass,
        .reason = reason,
        .took_ms = probe_took_ms(target),
        .at_unix_s = steer_clock_unix_s(),
    };
    probe_timer_clear(&prober->timers, &target->deadline);
    target->state = PROBE_IDLE;
    set_in_flight(prober, prober->in_flight - 1);
    count(pass ? &prober->stats.passed : &prober->stats.failed);
    prober->report(prober->ctx, &result);
}

static void ran_out(struct steer_prober *prober, void *ctx)
{
    struct probe_target *target = ctx;
    char reason[PROBE_REASON_MAX];
    target->driver->cancel(prober, target);
    snprintf(reason, sizeof reason, "timed out after %u ms", target->spec.timeout_ms);
    probe_finish(prober, target, false, reason);
}

static void begin(struct steer_prober *prober, struct probe_target *target)
{
    target->state = PROBE_RUNNING;
    target->started_ns = steer_clock_mono_ns();
    set_in_flight(prober, prober->in_flight + 1);
    count(&prober->stats.started);
    if (!target->driver->keeps_time)
        probe_timer_set(&prober->timers, &target->deadline,
                        target->started_ns + target->spec.timeout_ms * STEER_NS_PER_MS);
    target->driver->start(prober, target);
}

// When the next probe is due. First probes come within a second of each other, so the second one is put
// anywhere in the interval: that spreads many targets over all of it. From then on the grid of start
// times is kept: a late start does not move the later ones, and times that went by unused are skipped.
static uint64_t next_due_ns(struct steer_prober *prober, struct probe_target *target)
{
    uint64_t interval_ns = target->spec.interval_ms * STEER_NS_PER_MS;
    if (!target->spread && target->spec.interval_ms > FIRST_WITHIN_MS) {
        target->spread = true;
        return steer_clock_mono_ns() + 1 + steer_rng_next(&prober->rng) % interval_ns;
    }
    uint64_t behind_ns = steer_clock_mono_ns() - target->due.at_ns;
    return target->due.at_ns + (behind_ns / interval_ns + 1) * interval_ns;
}

static void came_due(struct steer_prober *prober, void *ctx)
{
    struct probe_target *target = ctx;
    probe_timer_set(&prober->timers, &target->due, next_due_ns(prober, target));
    if (target->state == PROBE_IDLE && prober->in_flight < prober->max_in_flight &&
        TAILQ_EMPTY(&prober->waiting)) {
        begin(prober, target);
        return;
    }
    count(&prober->stats.late);
    if (target->state == PROBE_IDLE) {
        target->state = PROBE_WAITING;
        TAILQ_INSERT_TAIL(&prober->waiting, target, waiting);
    }
}

static void begin_waiting(struct steer_prober *prober)
{
    struct probe_target *target;
    while (prober->in_flight < prober->max_in_flight && (target = TAILQ_FIRST(&prober->waiting))) {
        TAILQ_REMOVE(&prober->waiting, target, waiting);
        begin(prober, target);
    }
}

// Commands

static void drop(struct steer_prober *prober, struct probe_target *target)
{
    if (target->state == PROBE_RUNNING) {
        target->driver->cancel(prober, target);
        set_in_flight(prober, prober->in_flight - 1);
    } else if (target->state == PROBE_WAITING) {
        TAILQ_REMOVE(&prober->waiting, target, waiting);
    }
    probe_timer_clear(&prober->timers, &target->due);
    probe_timer_clear(&prober->timers, &target->deadline);
    probe_table_remove(&prober->table, target);
    probe_target_destroy(target);
}

static void add(struct steer_prober *prober, struct probe_target *target)
{
    uint32_t within_ms = target->spec.interval_ms;
    if (within_ms > FIRST_WITHIN_MS)
        within_ms = FIRST_WITHIN_MS;
    target->due.fire = came_due;
    target->due.ctx = target;
    target->deadline.fire = ran_out;
    target->deadline.ctx = target;
    probe_table_add(&prober->table, target);
    probe_timer_set(&prober->timers, &target->due,
                    steer_clock_mono_ns() +
                        steer_rng_next(&prober->rng) % (within_ms * STEER_NS_PER_MS));
}

static void apply(struct steer_prober *prober, const struct probe_command *command)
{
    struct probe_target *old = probe_table_find(&prober->table, command->key);
    if (old && command->put && probe_target_same(old, command->put)) {
        probe_target_destroy(command->put);
        return;
    }
    if (old)
        drop(prober, old);
    if (command->put)
        add(prober, command->put);
    atomic_store_explicit(&prober->stats.targets, prober->table.used, memory_order_relaxed);
}

// The commands queued so far, oldest first; *stopping is set with them.
static struct probe_command *take_commands(struct steer_prober *prober, bool *stopping)
{
    pthread_mutex_lock(&prober->mutex);
    struct probe_command *first = prober->first_command;
    prober->first_command = NULL;
    prober->last_command = &prober->first_command;
    *stopping = prober->stopping;
    pthread_mutex_unlock(&prober->mutex);
    return first;
}

static void wake(struct steer_prober *prober)
{
    uint64_t one = 1;
    ssize_t put = write(prober->event_fd, &one, sizeof one); // full means woken already
    (void)put;
}

static void enqueue(struct steer_prober *prober, uint64_t key, struct probe_target *target)
{
    struct probe_command *command = steer_calloc(1, sizeof *command);
    command->key = key;
    command->put = target;
    pthread_mutex_lock(&prober->mutex);
    bool first = !prober->first_command;
    *prober->last_command = command;
    prober->last_command = &command->next;
    pthread_mutex_unlock(&prober->mutex);
    if (first)
        wake(prober);
}

static void fire_timers(struct steer_prober *prober)
{
    uint64_t now_ns = steer_clock_mono_ns();
    struct probe_timer *timer;
    // Whatever is armed anew while this runs lies after now_ns.
    while ((timer = probe_timers_first(&prober->timers)) && timer->at_ns <= now_ns) {
        probe_timer_clear(&prober->timers, timer);
        timer->fire(prober, timer->ctx);
    }
}

static int wait_ms(const struct steer_prober *prober)
{
    const struct probe_timer *timer = probe_timers_first(&prober->timers);
    uint64_t now_ns = steer_clock_mono_ns();
    if (!timer)
        return -1;
    if (timer->at_ns <= now_ns)
        return 0;
    uint64_t ms = (timer->at_ns - now_ns + STEER_NS_PER_MS - 1) / STEER_NS_PER_MS;
    return ms > LONGEST_WAIT_MS ? LONGEST_WAIT_MS : (int)ms;
}

static void *run(void *ctx)
{
    struct steer_prober *prober = ctx;
    struct epoll_event events[64];
    for (;;) {
        bool stopping;
        struct probe_command *command = take_commands(prober, &stopping);
        for (struct probe_command *next; command; command = next) {
            next = command->next;
            apply(prober, command);
            free(command);
        }
        if (stopping)
            break;
        fire_timers(prober);
        begin_waiting(prober);
        int n = epoll_wait(prober->epoll_fd, events, STEER_ARRAY_LEN(events), wait_ms(prober));
        for (int i = 0; i < n; i++)
            dispatch(prober, &events[i]);
        begin_waiting(prober);
    }
    for (struct probe_target *target; (target = probe_table_any(&prober->table));)
        drop(prober, target);
    return NULL;
}

// Doors

static void destroy(struct steer_prober *prober)
{
    for (unsigned i = 0; i < PROBE_DRIVERS; i++)
        if (probe_drivers[i]->close)
            probe_drivers[i]->close(prober);
    if (prober->epoll_fd >= 0)
        close(prober->epoll_fd);
    if (prober->event_fd >= 0)
        close(prober->event_fd);
    probe_timers_fini(&prober->timers);
    probe_table_fini(&prober->table);
    free(prober->watches);
    pthread_mutex_destroy(&prober->mutex);
    free(prober);
}

static enum steer_err set_up(struct steer_prober *prober,
                             const struct steer_prober_options *options, struct steer_diag *diag)
{
    if (prober->epoll_fd < 0 || prober->event_fd < 0 ||
        !probe_watch(prober, prober->event_fd, EPOLLIN, woken, NULL))
        return steer_diag_set(diag, STEER_EIO, "the prober cannot be set up: %s", strerror(errno));
    for (unsigned i = 0; i < PROBE_DRIVERS; i++) {
        enum steer_err err =
            probe_drivers[i]->open ? probe_drivers[i]->open(prober, options, diag) : STEER_OK;
        if (err != STEER_OK)
            return err;
    }
    // Signals are the main thread's, and OpenSSL writes without MSG_NOSIGNAL: SIGPIPE stays blocked here.
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int error = pthread_create(&prober->thread, NULL, run, prober);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (error)
        return steer_diag_set(diag, STEER_EIO, "the probe thread cannot be started: %s",
                              strerror(error));
    pthread_setname_np(prober->thread, "steer-probe");
    return STEER_OK;
}

enum steer_err steer_prober_start(const struct steer_prober_options *options,
                                  struct steer_prober **prober, struct steer_diag *diag)
{
    struct steer_prober *made = steer_calloc(1, sizeof *made);
    made->report = options->report;
    made->ctx = options->ctx;
    made->max_in_flight = options->max_in_flight ? options->max_in_flight : DEFAULT_IN_FLIGHT;
    made->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    made->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    made->last_command = &made->first_command;
    steer_rng_init(&made->rng, options->seed);
    TAILQ_INIT(&made->waiting);
    pthread_mutex_init(&made->mutex, NULL);
    enum steer_err err = set_up(made, options, diag);
    if (err != STEER_OK) {
        destroy(made);
        return err;
    }
    *prober = made;
    return STEER_OK;
}

void steer_prober_stop(struct steer_prober *prober)
{
    if (!prober)
        return;
    pthread_mutex_lock(&prober->mutex);
    prober->stopping = true;
    pthread_mutex_unlock(&prober->mutex);
    wake(prober);
    pthread_join(prober->thread, NULL);
    destroy(prober);
}

void steer_prober_put(struct steer_prober *prober, const struct steer_probe_target *target)
{
    enqueue(prober, target->key, probe_target_create(target));
}

void steer_prober_remove(struct steer_prober *prober, uint64_t key)
{
    enqueue(prober, key, NULL);
}

void steer_prober_stats(struct steer_prober *prober, struct steer_prober_stats *stats)
{
    stats->targets = atomic_load_explicit(&prober->stats.targets, memory_order_relaxed);
    stats->in_flight = atomic_load_explicit(&prober->stats.in_flight, memory_order_relaxed);
    stats->started = atomic_load_explicit(&prober->stats.started, memory_order_relaxed);
    stats->passed = atomic_load_explicit(&prober->stats.passed, memory_order_relaxed);
    stats->failed = atomic_load_explicit(&prober->stats.failed, memory_order_relaxed);
    stats->late = atomic_load_explicit(&prober->stats.late, memory_order_relaxed);
}
