// SPDX-License-Identifier: GPL-3.0-or-later
// Where assertions stand, and what names may have been meant.
#include <stdlib.h>
#include <string.h>

#include "control_internal.h"
#include "steerd/base/hash.h"
#include "steerd/base/mem.h"

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

enum steer_err control_not_defined(const struct steer_catalog *catalog, enum steer_kind kind,
                                   const char *name, struct steer_diag *diag)
{
    const size_t count = steer_catalog_count(catalog, kind);
    const struct steer_object **list = steer_catalog_list(catalog, kind);
    const char **names = steer_calloc(count, sizeof(char *));
    for (size_t i = 0; i < count; i++)
        names[i] = list[i]->name;
    const char *near = steer_nearest_word(name, names, count);
    steer_diag_set(diag, STEER_ENOTFOUND,
                   near ? "%s '%s' is not defined; did you mean '%s'?" : "%s '%s' is not defined",
                   steer_kind_text(kind), name, near);
    free(names);
    free(list);
    return STEER_ENOTFOUND;
}
