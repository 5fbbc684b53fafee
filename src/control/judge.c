// SPDX-License-Identifier: GPL-3.0-or-later
// What a link does to assertions: it judges those that it reaches, and no others.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "linker_internal.h"
#include "steerd/base/mem.h"

// ---- which assertions are about a record ---------------------------------------------------------

static void list_assertions(struct steer_link *link)
{
    if (link->assertions_listed)
        return;
    link->assertions_listed = true;
    link->assertion_count = steer_catalog_count(link->catalog, STEER_ASSERTION);
    if (link->assertion_count)
        link->assertions = steer_catalog_list(link->catalog, STEER_ASSERTION);
}

// Those of a document stand together, since their names begin with its.
static size_t first_of(const struct steer_link *link, const char *document)
{
    size_t low = 0, high = link->assertion_count;
    const size_t len = strlen(document);
    while (low < high) {
        const size_t mid = low + (high - low) / 2;
        const char *name = link->assertions[mid]->name;
        const int order = strncmp(name, document, len);
        if (order < 0 || (order == 0 && (uint8_t)name[len] < '/'))
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

// ---- judging -------------------------------------------------------------------------------------

static struct steer_judge *judge_of(struct steer_link *link, bool now)
{
    struct steer_judge **judge = now ? &link->judge_now : &link->judge;
    if (!*judge)
        *judge = steer_judge_create(link->catalog, link->geo, link->linker->residuals,
                                    &link->view.view, now);
    return *judge;
}

static void judge(struct steer_link *link, const struct steer_object *assertion,
                  const struct steer_object *steered, const struct steer_classes *classes)
{
    struct steer_link_breach found = {.assertion = assertion, .steered = steered};
    uint32_t records = 0;
    (void)steer_map_get(&link->judged, assertion->name, &records);
    steer_map_put(&link->judged, assertion->name, records + 1);
    if (steer_judge_holds(judge_of(link, false), assertion, steered, classes, &found.breach)) {
        found.now = true;
        if (steer_judge_holds(judge_of(link, true), assertion, steered, classes, &found.breach))
            return;
    }
    found.waived = steer_map_get(&link->waived, assertion->name, NULL);
    link->breaches = steer_grow(link->breaches, &link->breach_cap, link->breach_count + 1,
                                sizeof *link->breaches);
    link->breaches[link->breach_count++] = found;
}

void link_judge_record(struct steer_link *link, const struct steer_object *steered,
                       const struct steer_classes *classes)
{
    if (link->loading || link->rehearsing)
        return;
    const size_t len = strlen(steered->document);
    list_assertions(link);
    for (size_t i = first_of(link, steered->document); i < link->assertion_count; i++) {
        const char *name = link->assertions[i]->name;
        if (strncmp(name, steered->document, len) != 0 || name[len] != '/')
            break;
        if (!link->assertions[i]->assertion.record_count &&
            steer_assertion_covers(link->assertions[i], steered))
            judge(link, link->assertions[i], steered, classes);
    }
    for (size_t i = 0; i < link->assertion_count; i++)
        if (link->assertions[i]->assertion.record_count &&
            steer_assertion_covers(link->assertions[i], steered))
            judge(link, link->assertions[i], steered, classes);
}

// ---- assertions that were reached without their records ------------------------------------------

static enum steer_err judge_reached(struct steer_link *link, const struct steer_object *steered,
                                    struct steer_diag *diag)
{
    struct steer_classes classes;
    bool compiled = false;
    for (size_t i = 0; i < link->assertion_count; i++) {
        const struct steer_object *assertion = link->assertions[i];
        if (!steer_map_get(&link->reached, assertion->name, NULL) ||
            !steer_assertion_covers(assertion, steered))
            continue;
        enum steer_err err = compiled
                                 ? STEER_OK
                                 : steer_classes_compile(link->linker->residuals, link->catalog,
                                                         steered, link->geo, &classes, diag);
        if (err != STEER_OK)
            return err;
        compiled = true;
        judge(link, assertion, steered, &classes);
    }
    if (compiled)
        steer_classes_fini(link->linker->residuals, &classes);
    linker_pause(link->linker);
    return STEER_OK;
}

static enum steer_err judge_untouched(struct steer_link *link, struct steer_diag *diag)
{
    if (!link->reached.used)
        return STEER_OK;
    list_assertions(link);
    const size_t count = steer_catalog_count(link->catalog, STEER_STEERED);
    const struct steer_object **list = steer_catalog_list(link->catalog, STEER_STEERED);
    enum steer_err err = STEER_OK;
    for (size_t i = 0; i < count && err == STEER_OK; i++)
        if (!steer_map_get(&link->touched, list[i]->name, NULL))
            err = judge_reached(link, list[i], diag);
    free(list);
    return err;
}

// ---- the verdict ---------------------------------------------------------------------------------

static int by_name(const void *a, const void *b)
{
    const struct steer_link_breach *x = a, *y = b;
    const int order = strcmp(x->assertion->name, y->assertion->name);
    return order ? order : strcmp(x->steered->name, y->steered->name);
}

static struct steer_diag *add_advice(struct steer_link *link)
{
    link->advice =
        steer_grow(link->advice, &link->advice_cap, link->advice_count + 1, sizeof *link->advice);
    return &link->advice[link->advice_count++];
}

static void advise(struct steer_link *link, const struct steer_link_breach *found)
{
    const struct steer_object *assertion = found->assertion;
    (void)steer_diag_at(add_advice(link), assertion->file, assertion->at.line, assertion->at.column,
                        "assertion '%s' (%.200s) does not hold with health as it is now: %s",
                        steer_assertion_short_name(assertion), assertion->assertion.text,
                        found->breach.message);
}

static enum steer_err refuse(const struct steer_link_breach *found, size_t more,
                             struct steer_diag *diag)
{
    const struct steer_object *assertion = found->assertion;
    const char *name = steer_assertion_short_name(assertion);
    char others[48] = "";
    if (more)
        snprintf(others, sizeof others, " (and %zu more)", more);
    return steer_diag_at(diag, *assertion->file ? assertion->file : assertion->document,
                         assertion->at.line, assertion->at.column,
                         "assertion '%s' (%.200s) does not hold%s: %s; change one of them, or "
                         "override it with --override-assert %s --reason TEXT",
                         name, assertion->assertion.text, others, found->breach.message, name);
}

// Of what was judged: an assertion about autonomous systems needs geo data that name them, else it would hold for nobody.
static enum steer_err check_clients(struct steer_link *link, struct steer_diag *diag)
{
    for (size_t i = 0; i < link->assertion_count; i++) {
        const struct steer_object *a = link->assertions[i];
        const char *file = *a->file ? a->file : a->document;
        if (!steer_map_get(&link->judged, a->name, NULL) ||
            steer_map_get(&link->waived, a->name, NULL))
            continue;
        if (a->assertion.asn_count && !steer_geo_knows_asns(link->geo))
            return steer_diag_at(diag, file, a->at.line, a->at.column,
                                 "assertion '%s' (%.200s) is about AS%u, but the geo data name no "
                                 "autonomous systems: start steerd with a file that has them "
                                 "(--geo FILE), or give networks",
                                 steer_assertion_short_name(a), a->assertion.text,
                                 a->assertion.asns[0]);
        if (steer_judge_meets(judge_of(link, false), a))
            continue;
        (void)steer_diag_at(add_advice(link), file, a->at.line, a->at.column,
                            "assertion '%s' (%.200s) is about nobody: the geo data have no such "
                            "client",
                            steer_assertion_short_name(a), a->assertion.text);
    }
    return STEER_OK;
}

enum steer_err link_judge(struct steer_link *link, struct steer_diag *diag)
{
    const struct steer_link_breach *first = NULL;
    size_t count = 0;
    enum steer_err err = link->loading ? STEER_OK : judge_untouched(link, diag);
    if (err == STEER_OK)
        err = check_clients(link, diag);
    if (err != STEER_OK || !link->breach_count)
        return err;
    qsort(link->breaches, link->breach_count, sizeof *link->breaches, by_name);
    for (size_t i = 0; i < link->breach_count; i++) {
        const struct steer_link_breach *found = &link->breaches[i];
        if (found->now)
            advise(link, found);
        if (found->now || found->waived)
            continue;
        first = first ? first : found;
        count++;
    }
    if (!first || link->planning)
        return STEER_OK;
    link->refusal = first;
    return refuse(first, count - 1, diag);
}

// ---- doors ---------------------------------------------------------------------------------------

enum steer_err steer_link_waive(struct steer_link *link, const char *name, struct steer_diag *diag)
{
    bool found = false;
    list_assertions(link);
    const char **names = steer_calloc(link->assertion_count, sizeof(char *));
    for (size_t i = 0; i < link->assertion_count; i++) {
        const char *full = link->assertions[i]->name;
        names[i] = steer_assertion_short_name(link->assertions[i]);
        if (strcmp(names[i], name) != 0 && strcmp(full, name) != 0)
            continue;
        found = true;
        steer_map_put(&link->waived, full, 1);
    }
    const char *near = steer_nearest_word(name, names, link->assertion_count);
    if (!found)
        steer_diag_set(diag, STEER_ENOTFOUND,
                       near ? "there is no assertion '%s'; did you mean '%s'?"
                            : "there is no assertion '%s'",
                       name, near);
    free(names);
    return found ? STEER_OK : STEER_ENOTFOUND;
}

void steer_link_set_planning(struct steer_link *link)
{
    link->planning = true;
}

const struct steer_link_breach *steer_link_breaches(const struct steer_link *link, size_t *count)
{
    *count = link->breach_count;
    return link->breaches;
}

const struct steer_link_breach *steer_link_refusal(const struct steer_link *link)
{
    return link->refusal;
}

void link_judge_fini(struct steer_link *link)
{
    steer_judge_destroy(link->judge);
    steer_judge_destroy(link->judge_now);
    steer_map_fini(&link->reached);
    steer_map_fini(&link->waived);
    steer_map_fini(&link->judged);
    free(link->assertions);
    free(link->breaches);
}
