// SPDX-License-Identifier: GPL-3.0-or-later
// Where assertions stand.
#include <string.h>

#include "control_internal.h"

// An assertion that came from the store has lost its place: its document still has it.
static struct steer_where place_of(const struct steer_control *c, const char *document,
                                   const char *name)
{
    struct steer_where at = {0, 0};
    struct steer_document *d = NULL;
    for (size_t i = 0; i < c->document_count && !d; i++) {
        const struct document_text *t = &c->documents[i];
        if (strcmp(t->name, document) == 0 &&
            steer_document_parse(t->text, t->len, t->name, t->name, &d, NULL) != STEER_OK)
            return at;
    }
    for (uint32_t k = 0; d && k < d->object_count; k++)
        if (d->objects[k]->kind == STEER_ASSERTION &&
            strcmp(steer_assertion_short_name(d->objects[k]), name) == 0)
            at = d->objects[k]->at;
    steer_document_destroy(d);
    return at;
}

void control_place_refusal(const struct steer_control *c, const struct steer_link *link,
                           struct steer_diag *diag)
{
    const struct steer_link_breach *first = steer_link_refusal(link);
    if (!first || diag->line)
        return;
    const struct steer_where at =
        place_of(c, first->assertion->document, steer_assertion_short_name(first->assertion));
    diag->line = at.line;
    diag->column = at.column;
}

void control_place_assertions(const struct steer_control *c, json_t *assertions)
{
    size_t i;
    json_t *assertion;
    json_array_foreach(assertions, i, assertion)
    {
        if (json_integer_value(json_object_get(assertion, "line")))
            continue;
        const struct steer_where at =
            place_of(c, json_string_value(json_object_get(assertion, "document")),
                     json_string_value(json_object_get(assertion, "name")));
        json_object_set_new(assertion, "line", json_integer(at.line));
        json_object_set_new(assertion, "column", json_integer(at.column));
    }
}
