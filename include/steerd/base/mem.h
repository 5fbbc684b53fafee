// SPDX-License-Identifier: GPL-3.0-or-later
// Owned memory, and the arena. Floor 0.
//
// Control-plane code allocates through these; they never return NULL. A failed allocation there ends
// the process with one log line (docs/decisions/0002): every byte sequence from outside is bounded
// before it is stored, and a restart answers from SQLite at once. The hot path allocates nothing.
#ifndef STEERD_BASE_MEM_H
#define STEERD_BASE_MEM_H

#include <stddef.h>
#include <stdint.h>

// size bytes, not set. Free with free(). Never NULL, also for size 0.
void *steer_alloc(size_t size);
// count * size zeroed bytes; an overflowing product ends the process.
void *steer_calloc(size_t count, size_t size);
// Like realloc, for count elements of size bytes.
void *steer_realloc(void *old, size_t count, size_t size);
char *steer_strdup(const char *text);
// A NUL-terminated copy of the first len bytes.
char *steer_strndup(const char *text, size_t len);
void *steer_memdup(const void *data, size_t len);

// Grows a heap array so that it holds at least `need` elements, doubling: the usual
// `items = steer_grow(items, &cap, n + 1, sizeof *items)`.
void *steer_grow(void *items, size_t *cap, size_t need, size_t size);

// Arena: many small things that end together. One thread at a time.
struct steer_arena_block;
struct steer_arena {
    struct steer_arena_block *blocks;
    uint8_t *next;
    size_t left;
    size_t total_bytes; // handed out so far
};

void steer_arena_init(struct steer_arena *arena);
// Frees everything the arena gave out.
void steer_arena_fini(struct steer_arena *arena);
// Forgets everything the arena gave out, and keeps its newest block for what comes.
void steer_arena_reset(struct steer_arena *arena);
// size bytes aligned for any type, not set; lives until fini.
void *steer_arena_alloc(struct steer_arena *arena, size_t size);
void *steer_arena_calloc(struct steer_arena *arena, size_t size);
char *steer_arena_strdup(struct steer_arena *arena, const char *text);
void *steer_arena_memdup(struct steer_arena *arena, const void *data, size_t len);

#endif
