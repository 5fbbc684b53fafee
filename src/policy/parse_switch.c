// SPDX-License-Identifier: GPL-3.0-or-later
// Switches, and the node that follows one.
#include <stdlib.h>
#include <string.h>

#include "policy_internal.h"

#define NODE_EXAMPLE "{name: colour, positions: {blue: {pool: a}, green: {pool: b}}}"

// ---- the object ----------------------------------------------------------------------------------

static void parse_positions(struct steer_parse *p, const struct steer_item *item,
                            struct steer_switch *object)
{
    struct steer_entries entries;
    struct steer_item entry;
    if (!steer_doc_list(p, item, "[blue, green]"))
        return;
    const size_t count = json_array_size(item->json);
    if (count > STEER_POSITIONS_MAX)
        steer_doc_fail(p, item->at, "a switch has at most %d positions", STEER_POSITIONS_MAX);
    const char **positions = steer_arena_calloc(p->arena, count * sizeof *positions);
    steer_entries_of(p, item, &entries);
    while (!p->err && steer_entries_next(&entries, &entry)) {
        const char *name = steer_value_name(p, &entry);
        for (uint32_t i = 0; i < object->position_count && !p->err; i++)
            if (strcmp(positions[i], name) == 0)
                steer_doc_fail(p, entry.at, "position '%s' is listed twice", name);
        positions[object->position_count++] = name;
    }
    object->positions = positions;
}

void steer_parse_switch(struct steer_parse *p, const struct steer_item *item,
                        struct steer_switch *object)
{
    static const char *const keys[] = {"positions", "initial"};
    static const struct steer_shape shape = {.what = "a switch",
                                             .example = "{positions: [blue, green], initial: blue}",
                                             .keys = keys,
                                             .key_count = STEER_ARRAY_LEN(keys)};
    struct steer_item positions = *item, initial;
    const bool short_form = json_is_array(item->json); // [blue, green]
    if (!short_form && !steer_doc_keys(p, item, &shape))
        return;
    if (!short_form && !steer_doc_find(p, item, "positions", &positions)) {
        steer_doc_fail(p, item->key_at, "switch '%s' needs 'positions', like [blue, green]",
                       item->key);
        return;
    }
    parse_positions(p, &positions, object);
    if (!steer_doc_find(p, item, "initial", &initial))
        return;
    const char *name = steer_value_name(p, &initial);
    object->initial = p->err ? 0 : steer_switch_position(object, name);
    if (!p->err && object->initial == object->position_count) {
        const char *near = steer_nearest_word(name, object->positions, object->position_count);
        steer_doc_fail(p, initial.at, "'%s' is not one of the positions%s%s%s", name,
                       near ? "; did you mean '" : "", near ? near : "", near ? "'?" : "");
    }
}

uint32_t steer_switch_position(const struct steer_switch *object, const char *name)
{
    uint32_t i = 0;
    while (i < object->position_count && strcmp(object->positions[i], name) != 0)
        i++;
    return i;
}

// ---- the node ------------------------------------------------------------------------------------

static int by_position(const void *a, const void *b)
{
    return strcmp(((const struct steer_child *)a)->position,
                  ((const struct steer_child *)b)->position);
}

void steer_parse_switch_node(struct steer_parse *p, const struct steer_item *item,
                             struct steer_node *node)
{
    static const char *const keys[] = {"name", "positions", STEER_OPTION_KEYS};
    static const struct steer_shape shape = {.what = "'switch'",
                                             .example = NODE_EXAMPLE,
                                             .keys = keys,
                                             .key_count = STEER_ARRAY_LEN(keys)};
    struct steer_item name, positions, entry;
    struct steer_entries entries;
    if (!steer_doc_keys(p, item, &shape))
        return;
    if (!steer_doc_find(p, item, "name", &name) ||
        !steer_doc_find(p, item, "positions", &positions)) {
        steer_doc_fail(p, item->key_at,
                       "'switch' needs 'name' and 'positions', like " NODE_EXAMPLE);
        return;
    }
    node->name = steer_value_name(p, &name);
    node->at = name.at;
    if (!steer_doc_mapping(p, &positions, "{blue: {pool: a}, green: {pool: b}}"))
        return;
    struct steer_child *children =
        steer_arena_calloc(p->arena, json_object_size(positions.json) * sizeof *children);
    steer_entries_of(p, &positions, &entries);
    while (!p->err && steer_entries_next(&entries, &entry)) {
        struct steer_child *child = &children[node->child_count++];
        child->at = entry.key_at;
        child->position = steer_arena_strdup(p->arena, entry.key);
        child->node = steer_parse_child(p, &entry);
    }
    // The stored JSON is sorted by key; the node that comes back from it is to be the same.
    if (!p->err)
        qsort(children, node->child_count, sizeof *children, by_position);
    node->children = children;
}
