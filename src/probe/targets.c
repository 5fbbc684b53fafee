// SPDX-License-Identifier: GPL-3.0-or-later
#include <stdlib.h>
#include <string.h>

#include "probe_internal.h"
#include "steerd/base/mem.h"

static char *copy(const char *text, const char *otherwise)
{
    if (!text || !*text)
        text = otherwise;
    return text ? steer_strdup(text) : NULL;
}

struct probe_target *probe_target_create(const struct steer_probe_target *spec)
{
    struct probe_target *target = steer_calloc(1, sizeof *target);
    target->spec = *spec;
    struct steer_probe_target *own = &target->spec;
    own->host = copy(spec->host, NULL);
    own->path = copy(spec->path, "/");
    own->method = copy(spec->method, "GET");
    own->expect_body = copy(spec->expect_body, NULL);
    if (!own->status_min && !own->status_max) {
        own->status_min = 200;
        own->status_max = 399;
    }
    if (!own->interval_ms)
        own->interval_ms = 1;
    if (!own->timeout_ms || own->timeout_ms > own->interval_ms)
        own->timeout_ms = own->interval_ms;
    target->driver = probe_driver_of(spec->kind);
    return target;
}

static void free_text(const char *text)
{
    free((void *)(uintptr_t)text); // the specification's strings are const for its readers
}

void probe_target_destroy(struct probe_target *target)
{
    free_text(target->spec.host);
    free_text(target->spec.path);
    free_text(target->spec.method);
    free_text(target->spec.expect_body);
    free(target);
}

static bool same_text(const char *a, const char *b)
{
    return a && b ? strcmp(a, b) == 0 : a == b;
}

bool probe_target_same(const struct probe_target *one, const struct probe_target *other)
{
    const struct steer_probe_target *a = &one->spec, *b = &other->spec;
    return a->key == b->key && a->kind == b->kind && steer_addr_equal(&a->addr, &b->addr) &&
           a->port == b->port && a->interval_ms == b->interval_ms &&
           a->timeout_ms == b->timeout_ms && a->status_min == b->status_min &&
           a->status_max == b->status_max && a->verify == b->verify &&
           same_text(a->host, b->host) && same_text(a->path, b->path) &&
           same_text(a->method, b->method) && same_text(a->expect_body, b->expect_body);
}

static struct probe_target **bucket(const struct probe_table *table, uint64_t key)
{
    return &table->buckets[steer_mix64(key) & (table->bucket_count - 1)];
}

struct probe_target *probe_table_find(const struct probe_table *table, uint64_t key)
{
    struct probe_target *at = table->bucket_count ? *bucket(table, key) : NULL;
    while (at && at->spec.key != key)
        at = at->next_in_bucket;
    return at;
}

static void link_in(struct probe_table *table, struct probe_target *target)
{
    struct probe_target **head = bucket(table, target->spec.key);
    target->next_in_bucket = *head;
    *head = target;
}

void probe_table_add(struct probe_table *table, struct probe_target *target)
{
    if (table->used >= table->bucket_count) {
        struct probe_table old = *table;
        table->bucket_count = old.bucket_count ? old.bucket_count * 2 : 64;
        table->buckets = steer_calloc(table->bucket_count, sizeof(struct probe_target *));
        for (size_t i = 0; i < old.bucket_count; i++) {
            for (struct probe_target *at = old.buckets[i], *next; at; at = next) {
                next = at->next_in_bucket;
                link_in(table, at);
            }
        }
        free(old.buckets);
    }
    link_in(table, target);
    table->used++;
}

void probe_table_remove(struct probe_table *table, struct probe_target *target)
{
    struct probe_target **at = bucket(table, target->spec.key);
    while (*at != target)
        at = &(*at)->next_in_bucket;
    *at = target->next_in_bucket;
    table->used--;
}

struct probe_target *probe_table_any(const struct probe_table *table)
{
    for (size_t i = 0; table->used && i < table->bucket_count; i++)
        if (table->buckets[i])
            return table->buckets[i];
    return NULL;
}

void probe_table_fini(struct probe_table *table)
{
    free(table->buckets);
}
