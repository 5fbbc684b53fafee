// SPDX-License-Identifier: GPL-3.0-or-later
// Where assertions stand.
#include <string.h>

#include "control_internal.h"

// The document whose text was read last: assertions come by document.
struct texts {
    const struct steer_control *control;
    const char *name;
    struct steer_document *document; // NULL: there is none of that name, or it cannot be read
};

static void texts_fini(struct texts *t)
{
    steer_document_destroy(t->document);
}

static const struct steer_document *document_of(struct texts *t, const char *name)
{
    const struct steer_control *c = t->control;
    if (t->name && strcmp(t->name, name) == 0)
        return t->document;
    steer_document_destroy(t->document);
    t->document = NULL;
    t->name = name;
    for (size_t i = 0; i < c->document_count; i++) {
        const struct document_text *d = &c->documents[i];
        if (strcmp(d->name, name) == 0 &&
            steer_document_parse(d->text, d->len, d->name, d->name, &t->document, NULL) != STEER_OK)
            t->document = NULL;
    }
    return t->document;
}

// An assertion that came from the store has lost its place: its document still has it.
static struct steer_where place_of(struct texts *t, const char *document, const char *name)
{
    struct steer_where at = {0, 0};
    const struct steer_document *d = document_of(t, document);
    for (uint32_t k = 0; d && k < d->object_count; k++)
        if (d->objects[k]->kind == STEER_ASSERTION &&
            strcmp(steer_assertion_short_name(d->objects[k]), name) == 0)
            at = d->objects[k]->at;
    return at;
}

void control_place_refusal(const struct steer_control *c, const struct steer_link *link,
                           struct steer_diag *diag)
{
    const struct steer_link_breach *first = steer_link_refusal(link);
    struct texts texts = {.control = c};
    if (!first || diag->line)
        return;
    const struct steer_where at =
        place_of(&texts, first->assertion->document, steer_assertion_short_name(first->assertion));
    diag->line = at.line;
    diag->column = at.column;
    texts_fini(&texts);
}

void control_place_assertions(const struct steer_control *c, json_t *assertions)
{
    struct texts texts = {.control = c};
    size_t i;
    json_t *assertion;
    json_array_foreach(assertions, i, assertion)
    {
        if (json_integer_value(json_object_get(assertion, "line")))
            continue;
        const struct steer_where at =
            place_of(&texts, json_string_value(json_object_get(assertion, "document")),
                     json_string_value(json_object_get(assertion, "name")));
        json_object_set_new(assertion, "line", json_integer(at.line));
        json_object_set_new(assertion, "column", json_integer(at.column));
    }
    texts_fini(&texts);
}
