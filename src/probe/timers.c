// SPDX-License-Identifier: GPL-3.0-or-later
#include <stdlib.h>

#include "probe_internal.h"
#include "steerd/base/mem.h"

// Places count from 1, so that place p has its parent at p / 2 and a zeroed timer is not armed.
static void put(struct probe_timers *timers, size_t place, struct probe_timer *timer)
{
    timers->heap[place - 1] = timer;
    timer->place = place;
}

static void sift(struct probe_timers *timers, size_t place, struct probe_timer *timer)
{
    while (place > 1 && timer->at_ns < timers->heap[place / 2 - 1]->at_ns) {
        put(timers, place, timers->heap[place / 2 - 1]);
        place /= 2;
    }
    for (;;) {
        size_t child = place * 2;
        if (child > timers->len)
            break;
        if (child < timers->len && timers->heap[child]->at_ns < timers->heap[child - 1]->at_ns)
            child++;
        if (timers->heap[child - 1]->at_ns >= timer->at_ns)
            break;
        put(timers, place, timers->heap[child - 1]);
        place = child;
    }
    put(timers, place, timer);
}

void probe_timer_set(struct probe_timers *timers, struct probe_timer *timer, uint64_t at_ns)
{
    timer->at_ns = at_ns;
    if (!timer->place) {
        timers->heap =
            steer_grow(timers->heap, &timers->cap, timers->len + 1, sizeof(struct probe_timer *));
        put(timers, ++timers->len, timer);
    }
    sift(timers, timer->place, timer);
}

void probe_timer_clear(struct probe_timers *timers, struct probe_timer *timer)
{
    size_t place = timer->place;
    if (!place)
        return;
    struct probe_timer *last = timers->heap[--timers->len];
    timer->place = 0;
    if (last != timer)
        sift(timers, place, last);
}

struct probe_timer *probe_timers_first(const struct probe_timers *timers)
{
    return timers->len ? timers->heap[0] : NULL;
}

void probe_timers_fini(struct probe_timers *timers)
{
    free(timers->heap);
}
