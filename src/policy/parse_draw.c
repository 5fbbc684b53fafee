// SPDX-License-Identifier: GPL-3.0-or-later
// `draw` of a steered record: random, coherent, sticky, or {sticky: {v4: 24, v6: 56}}, which `sticky` beside it is short for.
#include <string.h>

#include "policy_internal.h"

enum { STICKY_V4_BITS = 24, STICKY_V6_BITS = 56 };

static const char *const words[] = {"random", "coherent", "sticky"};

static void parse_networks(struct steer_parse *p, const struct steer_item *item,
                           struct steer_drawing *draw)
{
    static const char *const keys[] = {"v4", "v6"};
    static const struct steer_shape shape = {.what = "'sticky'",
                                             .example = "{v4: 24, v6: 56}",
                                             .keys = keys,
                                             .key_count = STEER_ARRAY_LEN(keys)};
    if (!steer_doc_keys(p, item, &shape))
        return;
    draw->v4_bits = (uint8_t)steer_doc_uint(p, item, "v4", 1, 32, STICKY_V4_BITS);
    draw->v6_bits = (uint8_t)steer_doc_uint(p, item, "v6", 1, 128, STICKY_V6_BITS);
}

struct steer_drawing steer_parse_draw(struct steer_parse *p, const struct steer_item *record)
{
    static const char *const keys[] = {"sticky"};
    static const struct steer_shape shape = {.what = "'draw'",
                                             .example = "{sticky: {v4: 24, v6: 56}}",
                                             .keys = keys,
                                             .key_count = STEER_ARRAY_LEN(keys)};
    struct steer_drawing draw = {.mode = STEER_DRAW_RANDOM};
    struct steer_item item;
    struct steer_item networks = {0};
    const bool has_draw = steer_doc_find(p, record, "draw", &item);
    if (steer_doc_find(p, record, "sticky", &networks)) { // short for draw: {sticky: ...}
        if (has_draw)
            steer_doc_fail(p, networks.key_at, "give 'draw' or 'sticky', not both");
        draw.mode = STEER_DRAW_STICKY;
    } else if (!has_draw) {
        return draw;
    } else if (json_is_object(item.json)) {
        draw.mode = STEER_DRAW_STICKY;
        if (steer_doc_keys(p, &item, &shape) && !steer_doc_find(p, &item, "sticky", &networks))
            steer_doc_fail(p, item.at, "'draw' is empty; give {sticky: {v4: 24, v6: 56}}");
    } else {
        draw.mode = (enum steer_draw)steer_doc_choice(
            p, record, "draw", words, STEER_ARRAY_LEN(words), STEER_ARRAY_LEN(words), 0);
    }
    if (draw.mode == STEER_DRAW_STICKY) {
        draw.v4_bits = STICKY_V4_BITS;
        draw.v6_bits = STICKY_V6_BITS;
    }
    if (networks.json)
        parse_networks(p, &networks, &draw);
    return draw;
}

json_t *steer_draw_json(const struct steer_drawing *draw)
{
    switch (draw->mode) {
    case STEER_DRAW_RANDOM:
        break;
    case STEER_DRAW_COHERENT:
        return json_string(words[STEER_DRAW_COHERENT]);
    case STEER_DRAW_STICKY:
        return json_pack("{s:{s:i,s:i}}", "sticky", "v4", draw->v4_bits, "v6", draw->v6_bits);
    }
    return NULL;
}
