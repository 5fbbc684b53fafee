// SPDX-License-Identifier: GPL-3.0-or-later
// The published world, and when what it replaced may be freed.
//
//   oldest -> [version 7: holds 1] -> [version 8: holds 0] -> [version 9, current] <- newest
//              remains of 7            remains of 8
//
// The remains of a version are the blocks that it and older ones can reach, but no newer one. They go
// when no worker can be in it any more (a grace period) and neither it nor an older version is held.
#include <assert.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <urcu-qsbr.h>

#include "steerd/base/mem.h"
#include "steerd/world/world.h"

// ThreadSanitizer does not see inside liburcu: it is told what a grace period orders.
#if defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define STEER_TSAN 1
#endif
#elif defined(__SANITIZE_THREAD__)
#define STEER_TSAN 1
#endif
#ifdef STEER_TSAN
void __tsan_acquire(void *at);
void __tsan_release(void *at);
static char grace;
#define GRACE_ENDS()    __tsan_acquire(&grace)
#define READER_LEAVES() __tsan_release(&grace)
#else
#define GRACE_ENDS()    ((void)0)
#define READER_LEAVES() ((void)0)
#endif

struct version {
    struct version *newer;
    struct steer_world *world;
    uint32_t holds;
    bool unread; // no worker can be in it any more
    struct steer_retired remains;
    void *block; // a remain with a destructor of its own
    void (*destroy)(void *block);
};

struct steer_publisher {
    _Atomic(struct steer_world *) current;
    pthread_mutex_t lock; // of the list
    struct version *oldest, *newest;
};

// ---- versions ------------------------------------------------------------------------------------

static struct version *version_create(struct steer_world *world)
{
    struct version *v = steer_calloc(1, sizeof *v);
    v->world = world;
    return v;
}

static void version_free(struct version *v)
{
    steer_retired_free(&v->remains);
    if (v->block)
        v->destroy(v->block);
    free(v);
}

// Takes the versions off the list that nobody can reach. Under the lock; freed without it.
static struct version *take_dead(struct steer_publisher *p)
{
    struct version *first = p->oldest;
    struct version **end = &first;
    while (*end != p->newest && (*end)->unread && !(*end)->holds)
        end = &(*end)->newer;
    p->oldest = *end;
    *end = NULL;
    return first;
}

static void free_versions(struct version *v)
{
    while (v) {
        struct version *newer = v->newer;
        version_free(v);
        v = newer;
    }
}

// Puts a version behind the newest, waits until no worker is in older ones, and frees what it can.
static void advance(struct steer_publisher *p, struct steer_world *next,
                    struct steer_retired *retired, void *block, void (*destroy)(void *))
{
    struct version *v = version_create(next);
    pthread_mutex_lock(&p->lock);
    struct version *before = p->newest;
    if (retired)
        steer_retired_move(&before->remains, retired);
    before->block = block;
    before->destroy = destroy;
    before->newer = v;
    p->newest = v;
    atomic_store_explicit(&p->current, next, memory_order_release);
    pthread_mutex_unlock(&p->lock);

    steer_publisher_synchronize(p);

    pthread_mutex_lock(&p->lock);
    before->unread = true;
    struct version *dead = take_dead(p);
    pthread_mutex_unlock(&p->lock);
    free_versions(dead);
}

// ---- the writer ----------------------------------------------------------------------------------

struct steer_publisher *steer_publisher_create(struct steer_world *first)
{
    struct steer_publisher *p = steer_calloc(1, sizeof *p);
    pthread_mutex_init(&p->lock, NULL);
    p->oldest = p->newest = version_create(first);
    atomic_init(&p->current, first);
    return p;
}

void steer_publisher_destroy(struct steer_publisher *p)
{
    if (!p)
        return;
    struct steer_world *world = steer_publisher_current(p);
    free_versions(p->oldest);
    steer_world_destroy(world);
    pthread_mutex_destroy(&p->lock);
    free(p);
}

struct steer_world *steer_publisher_current(const struct steer_publisher *p)
{
    return atomic_load_explicit(&p->current, memory_order_acquire);
}

void steer_publish(struct steer_publisher *p, struct steer_world *next,
                   struct steer_retired *retired)
{
    advance(p, next, retired, NULL, NULL);
}

void steer_publisher_retire(struct steer_publisher *p, void *block, void (*destroy)(void *block))
{
    // A version of its own with the same world, so that it need not wait for the next edit.
    advance(p, steer_publisher_current(p), NULL, block, destroy);
}

void steer_publisher_synchronize(struct steer_publisher *p)
{
    (void)p; // liburcu has one registry of readers a process
    synchronize_rcu();
    GRACE_ENDS();
}

// ---- holds ---------------------------------------------------------------------------------------

struct steer_world *steer_publisher_hold(struct steer_publisher *p)
{
    pthread_mutex_lock(&p->lock);
    p->newest->holds++;
    struct steer_world *world = p->newest->world;
    pthread_mutex_unlock(&p->lock);
    return world;
}

// Several versions may have the same world (steer_publisher_retire). Of these the newest held one gives
// the hold back, so that the older ones, with their remains, last until all holds are back.
static struct version *held(const struct steer_publisher *p, const struct steer_world *world)
{
    struct version *found = NULL;
    for (struct version *v = p->oldest; v; v = v->newer)
        if (v->world == world && v->holds)
            found = v;
    return found;
}

void steer_publisher_release(struct steer_publisher *p, struct steer_world *world)
{
    pthread_mutex_lock(&p->lock);
    struct version *v = held(p, world);
    assert(v);
    v->holds--;
    struct version *dead = take_dead(p);
    pthread_mutex_unlock(&p->lock);
    free_versions(dead);
}

// ---- workers -------------------------------------------------------------------------------------

void steer_reader_register(void)
{
    rcu_register_thread();
}

void steer_reader_unregister(void)
{
    READER_LEAVES();
    rcu_unregister_thread();
}

void steer_reader_offline(void)
{
    READER_LEAVES();
    rcu_thread_offline();
}

void steer_reader_online(void)
{
    rcu_thread_online();
}

void steer_reader_quiescent(void)
{
    READER_LEAVES();
    rcu_quiescent_state();
}

const struct steer_world *steer_reader_world(const struct steer_publisher *p)
{
    return atomic_load_explicit(&p->current, memory_order_acquire);
}
