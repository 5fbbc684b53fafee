// SPDX-License-Identifier: GPL-3.0-or-later
// What the modules of this room share. Everything here belongs to the probe thread, but the command queue
// (under the mutex) and the counters (atomic).
#ifndef STEERD_PROBE_INTERNAL_H
#define STEERD_PROBE_INTERNAL_H

#include <pthread.h>
#include <stdatomic.h>
#include <stddef.h>
#include <sys/queue.h>

#include "steerd/base/hash.h"
#include "steerd/probe/probe.h"

#define PROBE_REASON_MAX 512

struct steer_prober;

// A binary heap of times, soonest first. A timer is embedded in its owner and must be cleared before the
// owner goes.
struct probe_timer {
    uint64_t at_ns; // monotonic
    size_t place;   // in the heap, from 1; 0: not armed
    void (*fire)(struct steer_prober *prober, void *ctx);
    void *ctx;
};
struct probe_timers {
    struct probe_timer **heap;
    size_t len, cap;
};
// Arms the timer, or moves it when it is armed already.
void probe_timer_set(struct probe_timers *timers, struct probe_timer *timer, uint64_t at_ns);
void probe_timer_clear(struct probe_timers *timers, struct probe_timer *timer);
// The soonest, or NULL.
struct probe_timer *probe_timers_first(const struct probe_timers *timers);
void probe_timers_fini(struct probe_timers *timers);

// IDLE -> RUNNING (-> IDLE), or IDLE -> WAITING -> RUNNING when too many are in flight.
enum probe_state { PROBE_IDLE, PROBE_WAITING, PROBE_RUNNING };

struct probe_driver;
struct probe_target {
    struct steer_probe_target spec; // strings owned, defaults filled in
    const struct probe_driver *driver;
    enum probe_state state;
    struct probe_timer due;      // next start
    bool spread;                 // the second start was put at a random point of the interval
    struct probe_timer deadline; // of the probe under way, unless the driver keeps time itself
    uint64_t started_ns;
    void *run; // the driver's, while RUNNING
    TAILQ_ENTRY(probe_target) waiting;
    struct probe_target *next_in_bucket;
};

// A copy with the defaults filled in, ready to schedule.
struct probe_target *probe_target_create(const struct steer_probe_target *spec);
void probe_target_destroy(struct probe_target *target);
bool probe_target_same(const struct probe_target *a, const struct probe_target *b);

// Targets by key.
struct probe_table {
    struct probe_target **buckets;
    size_t bucket_count, used;
};
struct probe_target *probe_table_find(const struct probe_table *table, uint64_t key);
// Requires: the key is not there.
void probe_table_add(struct probe_table *table, struct probe_target *target);
void probe_table_remove(struct probe_table *table, struct probe_target *target);
// Any one target, or NULL when the table is empty.
struct probe_target *probe_table_any(const struct probe_table *table);
void probe_table_fini(struct probe_table *table);

// A way to ask. start() ends in exactly one probe_finish(), at once or later, unless cancel() comes
// first. Before probe_finish() the driver has let go of target->run.
struct probe_driver {
    unsigned id;     // enum probe_driver_id
    bool keeps_time; // ends its probes by itself after spec.timeout_ms
    // Once per prober, on the thread that starts it; may be NULL. What they keep is driver_state[id].
    enum steer_err (*open)(struct steer_prober *prober, const struct steer_prober_options *options,
                           struct steer_diag *diag);
    void (*close)(struct steer_prober *prober); // also after a failed or missing open
    void (*start)(struct steer_prober *prober, struct probe_target *target);
    void (*cancel)(struct steer_prober *prober, struct probe_target *target); // no report
};

enum probe_driver_id { PROBE_DRIVER_HTTP, PROBE_DRIVER_TCP, PROBE_DRIVERS };
extern const struct probe_driver probe_http_driver, probe_tcp_driver;
extern const struct probe_driver *const probe_drivers[PROBE_DRIVERS];
const struct probe_driver *probe_driver_of(enum steer_probe_kind kind);

typedef void probe_ready_fn(struct steer_prober *prober, int fd, uint32_t events, void *ctx);
struct probe_watch {
    probe_ready_fn *ready; // NULL: not watched
    void *ctx;
    uint32_t generation; // tells an event of a closed descriptor from one of its successor
};

struct probe_command;
struct steer_prober {
    pthread_t thread;
    int epoll_fd, event_fd;
    void (*report)(void *ctx, const struct steer_probe_result *result);
    void *ctx;
    uint32_t max_in_flight, in_flight;
    struct steer_rng rng;
    struct probe_timers timers;
    struct probe_table table;
    TAILQ_HEAD(, probe_target) waiting;
    struct probe_watch *watches; // by descriptor
    size_t watch_count;
    void *driver_state[PROBE_DRIVERS];

    pthread_mutex_t mutex; // guards these three
    struct probe_command *first_command, **last_command;
    bool stopping;

    struct {
        _Atomic uint64_t targets, in_flight, started, passed, failed, late;
    } stats;
};

// Calls ready() with epoll's event bits; again for the same descriptor: changes the wish. False: errno.
bool probe_watch(struct steer_prober *prober, int fd, uint32_t events, probe_ready_fn *ready,
                 void *ctx);
// Call before the descriptor is closed.
void probe_unwatch(struct steer_prober *prober, int fd);

// The one end of each probe.
void probe_finish(struct steer_prober *prober, struct probe_target *target, bool pass,
                  const char *reason);
uint32_t probe_took_ms(const struct probe_target *target);
// "connection refused" and the like, in plain lower-case words.
const char *probe_errno_text(int error, char *out, size_t size);

#endif
