// SPDX-License-Identifier: GPL-3.0-or-later
// The world: all zones and steering programs of one moment, immutable once published. Floor 4.
//
// An edit makes the next world and shares what it did not touch; it becomes visible whole, by one pointer,
// or not at all. The cells that programs name live in the steering tables (tables.h) and follow health
// inside a world.
#ifndef STEERD_WORLD_WORLD_H
#define STEERD_WORLD_WORLD_H

#include "steerd/geo/classmap.h"
#include "steerd/world/tables.h"
#include "steerd/zone/zone.h"

enum { STEER_PROGRAM_TYPES = 4, STEER_PROGRAMS_MAX = 1 << 20 };

// A steered record ready to be asked: class table and cells. One heap block.
struct steer_program {
    const struct steer_classmap *map; // owned by control, which keeps it while a world names it
    uint32_t ttl_s;
    uint16_t class_count;
    uint8_t type_count;
    struct steer_drawing draw;
    uint16_t types[STEER_PROGRAM_TYPES]; // address: A, AAAA, HTTPS and SVCB if any
    uint32_t cells[];                    // [type index * class_count + class]
};

enum { STEER_PROGRAM_CHUNK = 256 };

struct steer_world {
    uint64_t version;
    struct steer_trie zones;   // items are struct steer_zone
    uint64_t origin_labels[2]; // bit n: some zone's origin has n labels (0..127)
    const struct steer_tables *tables;
    uint32_t program_chunks;
    struct steer_program ***programs;   // chunks of STEER_PROGRAM_CHUNK, shared between versions
    uint32_t origins[STEER_LABELS_MAX]; // zones whose origin has so many labels
};

// The program of a steered RRset of this world (its `at`); NULL where it was taken away.
static inline const struct steer_program *steer_world_program(const struct steer_world *w,
                                                              uint32_t id)
{
    return w->programs[id / STEER_PROGRAM_CHUNK][id % STEER_PROGRAM_CHUNK];
}

// The most labels, at most max, that some zone's origin has; -1: none.
static inline int steer_world_origin_labels(const struct steer_world *w, int max)
{
    for (int word = max >> 6; word >= 0; word--, max = 64 * word + 63) {
        const uint64_t bits = w->origin_labels[word] & (UINT64_MAX >> (63 - max % 64));
        if (bits)
            return 64 * word + 63 - __builtin_clzll(bits);
    }
    return -1;
}

// The zone with exactly that origin, or NULL.
const struct steer_zone *steer_world_zone(const struct steer_world *w, uint64_t hash,
                                          const uint8_t *origin);
// The zone with the longest origin that holds the name, looking at origins of at most max_labels labels (the name's
// own count, or one less to find the parent of an apex, RFC 4035 3.1.4.1 for DS). labels: of the origin found.
const struct steer_zone *steer_world_zone_of(const struct steer_world *w,
                                             const struct steer_name *name,
                                             const struct steer_name_hashes *hashes,
                                             unsigned max_labels, unsigned *labels);

struct steer_world *steer_world_create(const struct steer_tables *tables); // empty, version 0
void steer_world_destroy(struct steer_world *w); // with everything in it; no reader may be left

struct steer_world_edit;
// Begins the next version; `from`, the published world, must stay until finish or abort. One edit at a time.
struct steer_world_edit *steer_world_edit(const struct steer_world *from);
// Takes the zone over: a finished version, in place of one with the same origin, whose remains the
// caller already has in a retired list.
void steer_world_put_zone(struct steer_world_edit *edit, struct steer_zone *zone);
// As above for a zone built afresh over an old one: the old version is retired whole by this call.
void steer_world_replace_zone(struct steer_world_edit *edit, struct steer_zone *zone);
// The zone is retired whole; its steered records' programs are the caller's matter. False when it is not there.
bool steer_world_remove_zone(struct steer_world_edit *edit, uint64_t hash, const uint8_t *origin);
// The zone as the edit has it by now, or NULL; valid until the edit's next change.
const struct steer_zone *steer_world_edit_zone(const struct steer_world_edit *edit, uint64_t hash,
                                               const uint8_t *origin);
// Takes the program over (NULL: none); the one it replaces is retired.
void steer_world_put_program(struct steer_world_edit *edit, uint32_t id,
                             struct steer_program *program);
// For what zones that are put replace (steer_zone_finish); belongs to the edit.
struct steer_retired *steer_world_edit_retired(struct steer_world_edit *edit);
// The next world; retired receives all that only older ones held, the old struct steer_world too.
struct steer_world *steer_world_finish(struct steer_world_edit *edit,
                                       struct steer_retired *retired);
// Undoes everything; zones and programs given to the edit included, also those made by steer_zone_edit
// from a published version. What such zones gave to a retired list of the caller's own is to be dropped
// (steer_retired_drop), never freed. A finished zone that was not given to the edit is the caller's to undo
// (steer_zone_difference).
void steer_world_abort(struct steer_world_edit *edit);

// ---- publishing ----------------------------------------------------------------------------------

// The published world, liburcu QSBR underneath. Readers (workers) register their thread, read once
// per batch, announce quiescence after it and go offline before blocking. Slow readers take a hold instead.
struct steer_publisher;
// Takes the first world over.
struct steer_publisher *steer_publisher_create(struct steer_world *first);
void steer_publisher_destroy(struct steer_publisher *p); // all readers gone; destroys the world
// The writer's view.
struct steer_world *steer_publisher_current(const struct steer_publisher *p);
// Makes next visible; what retired holds is freed once no worker and no hold can reach it. May wait for a
// grace period (microseconds).
void steer_publish(struct steer_publisher *p, struct steer_world *next,
                   struct steer_retired *retired);
// Frees a block after a grace period and the holds of now (class tables, programs' remains).
void steer_publisher_retire(struct steer_publisher *p, void *block, void (*destroy)(void *block));
// Waits until every worker has passed a quiescent state.
void steer_publisher_synchronize(struct steer_publisher *p);
// For slow readers (export, plan): the world stays whole until release. Any thread.
struct steer_world *steer_publisher_hold(struct steer_publisher *p);
// Gives a hold back; what only it kept is freed here, on the caller's thread. Any thread.
void steer_publisher_release(struct steer_publisher *p, struct steer_world *world);

// Worker side.
// Once on each worker thread, before all else; it is online then.
void steer_reader_register(void);
// Before the thread ends.
void steer_reader_unregister(void);
// Before the thread blocks: grace periods do not wait for it any more. It holds nothing of the world.
void steer_reader_offline(void);
// After it, before the next steer_reader_world.
void steer_reader_online(void);
// Between two batches: nothing of the world is held here. Costs about a store.
void steer_reader_quiescent(void);
// Valid until the next quiescent, offline or unregister of this thread.
const struct steer_world *steer_reader_world(const struct steer_publisher *p);

#endif
