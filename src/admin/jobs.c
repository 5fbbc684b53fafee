// SPDX-License-Identifier: GPL-3.0-or-later
// Job threads. Short requests (status, overrides, metrics) go before long ones (imports, applies), and
// long ones leave one thread free, so that a big import never hides the server's health.
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "admin_internal.h"
#include "steerd/base/clock.h"
#include "steerd/base/log.h"
#include "steerd/base/mem.h"

enum { THREADS = 4, LONG_AT_ONCE = THREADS - 1, QUEUE_MAX = 64 };

struct queue {
    struct admin_request *first, **last;
    unsigned count;
};

struct admin_jobs {
    struct steer_admin *admin;
    pthread_mutex_t lock;
    pthread_cond_t work, idle;
    struct queue shorts, longs;
    unsigned long_running;
    unsigned answering; // submitted and not yet over
    bool stopping;
    unsigned thread_count;
    pthread_t threads[THREADS];
};

static void push(struct queue *queue, struct admin_request *r)
{
    r->next = NULL;
    *queue->last = r;
    queue->last = &r->next;
    queue->count++;
}

static struct admin_request *pop(struct queue *queue)
{
    struct admin_request *r = queue->first;
    queue->first = r->next;
    if (!queue->first)
        queue->last = &queue->first;
    queue->count--;
    return r;
}

static bool is_long(const struct admin_request *r)
{
    return r->route->flags & ADMIN_LONG;
}

static void log_job(const struct admin_request *r, unsigned status, uint64_t started_ns)
{
    double ms = (double)(steer_clock_mono_ns() - started_ns) / 1e6;
    if (status >= 500)
        steer_log(STEER_LOG_ERROR, "admin", "%s %s: %u in %.1f ms", r->method, r->path, status, ms);
    else if (strcmp(r->method, "GET") != 0 && strcmp(r->method, "HEAD") != 0 &&
             !(r->route->flags & ADMIN_BEACON)) // those come all the time
        steer_log(STEER_LOG_INFO, "admin", "%s %s: %u in %.1f ms", r->method, r->path, status, ms);
}

static void run(struct admin_request *r)
{
    uint64_t started = steer_clock_mono_ns();
    r->route->handle(r);
    log_job(r, r->status, started);
    MHD_resume_connection(r->connection); // r may be gone from here on
}

static void wait_for(struct admin_jobs *jobs, pthread_cond_t *cond, unsigned ms)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    uint64_t ns = (uint64_t)until.tv_nsec + ms * STEER_NS_PER_MS;
    until.tv_sec += (time_t)(ns / STEER_NS_PER_S);
    until.tv_nsec = (long)(ns % STEER_NS_PER_S);
    pthread_cond_timedwait(cond, &jobs->lock, &until);
}

static void *thread_main(void *arg)
{
    struct admin_jobs *jobs = arg;
    pthread_mutex_lock(&jobs->lock);
    for (;;) {
        struct admin_request *r = NULL;
        if (jobs->shorts.count)
            r = pop(&jobs->shorts);
        else if (jobs->longs.count && jobs->long_running < LONG_AT_ONCE)
            r = pop(&jobs->longs);
        if (!r) {
            if (jobs->stopping && !jobs->longs.count)
                break;
            wait_for(jobs, &jobs->work, 1000);
            pthread_mutex_unlock(&jobs->lock);
            admin_conns_reap(jobs->admin->conns);
            pthread_mutex_lock(&jobs->lock);
            continue;
        }
        bool counted = is_long(r);
        jobs->long_running += counted;
        pthread_mutex_unlock(&jobs->lock);
        run(r);
        pthread_mutex_lock(&jobs->lock);
        jobs->long_running -= counted;
        if (counted && jobs->longs.count)
            pthread_cond_signal(&jobs->work);
    }
    pthread_mutex_unlock(&jobs->lock);
    return NULL;
}

struct admin_jobs *admin_jobs_start(struct steer_admin *admin)
{
    struct admin_jobs *jobs = steer_calloc(1, sizeof *jobs);
    jobs->admin = admin;
    jobs->shorts.last = &jobs->shorts.first;
    jobs->longs.last = &jobs->longs.first;
    pthread_mutex_init(&jobs->lock, NULL);
    pthread_condattr_t attr;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&jobs->work, &attr);
    pthread_cond_init(&jobs->idle, &attr);
    pthread_condattr_destroy(&attr);
    for (unsigned i = 0; i < THREADS; i++) {
        if (pthread_create(&jobs->threads[i], NULL, thread_main, jobs) != 0) {
            admin_jobs_finish(jobs, 0);
            admin_jobs_destroy(jobs);
            return NULL;
        }
        jobs->thread_count++;
    }
    return jobs;
}

bool admin_jobs_submit(struct admin_jobs *jobs, struct admin_request *r)
{
    struct queue *queue = is_long(r) ? &jobs->longs : &jobs->shorts;
    pthread_mutex_lock(&jobs->lock);
    bool room = !jobs->stopping && queue->count < QUEUE_MAX;
    if (room) {
        r->submitted = true;
        jobs->answering++;
        MHD_suspend_connection(r->connection); // before a thread can resume it
        push(queue, r);
        pthread_cond_signal(&jobs->work);
    }
    pthread_mutex_unlock(&jobs->lock);
    return room;
}

void admin_jobs_answered(struct admin_jobs *jobs)
{
    pthread_mutex_lock(&jobs->lock);
    if (--jobs->answering == 0)
        pthread_cond_broadcast(&jobs->idle);
    pthread_mutex_unlock(&jobs->lock);
}

void admin_jobs_finish(struct admin_jobs *jobs, unsigned wait_ms)
{
    pthread_mutex_lock(&jobs->lock);
    jobs->stopping = true;
    pthread_cond_broadcast(&jobs->work);
    pthread_mutex_unlock(&jobs->lock);
    for (unsigned i = 0; i < jobs->thread_count; i++)
        pthread_join(jobs->threads[i], NULL);
    jobs->thread_count = 0;
    uint64_t until = steer_clock_mono_ns() + wait_ms * STEER_NS_PER_MS;
    pthread_mutex_lock(&jobs->lock);
    while (jobs->answering && steer_clock_mono_ns() < until)
        wait_for(jobs, &jobs->idle, wait_ms);
    pthread_mutex_unlock(&jobs->lock);
}

void admin_jobs_destroy(struct admin_jobs *jobs)
{
    if (!jobs)
        return;
    pthread_cond_destroy(&jobs->work);
    pthread_cond_destroy(&jobs->idle);
    pthread_mutex_destroy(&jobs->lock);
    free(jobs);
}
