// SPDX-License-Identifier: GPL-3.0-or-later
// Where switches stand: set by operators, durable, in force at once.
#include <stdio.h>
#include <stdlib.h>

#include "control_internal.h"
#include "steerd/base/clock.h"
#include "steerd/base/hash.h"
#include "steerd/base/log.h"
#include "steerd/base/mem.h"

static enum steer_err no_position(const struct steer_object *object, const char *position,
                                  struct steer_diag *diag)
{
    const struct steer_switch *control = &object->control_switch;
    struct steer_buf known = {0};
    for (uint32_t i = 0; i < control->position_count; i++)
        steer_buf_printf(&known, "%s%s", i ? ", " : "", control->positions[i]);
    const char *near = steer_nearest_word(position, control->positions, control->position_count);
    enum steer_err err = steer_diag_set(
        diag, STEER_EINVAL, "switch '%s' has no position '%.80s', only %.600s%s%s%s", object->name,
        position, known.data, near ? "; did you mean '" : "", near ? near : "", near ? "'?" : "");
    steer_buf_fini(&known);
    return err;
}

// Durable first, then in force.
static enum steer_err write_position(struct steer_control *c,
                                     const struct steer_store_position *row, const char *by,
                                     struct steer_diag *diag)
{
    char subject[128], detail[600];
    snprintf(subject, sizeof subject, "switch %s", row->name);
    snprintf(detail, sizeof detail, "%s%s%.400s", row->position, *row->reason ? ": " : "",
             row->reason);
    enum steer_err err = steer_store_begin(c->store, diag);
    if (err == STEER_OK)
        err = steer_store_put_position(c->store, row, diag);
    if (err == STEER_OK)
        err = control_audit(c, by, "switch set", subject, detail, diag);
    if (err == STEER_OK)
        err = steer_store_commit(c->store, diag);
    if (err != STEER_OK)
        steer_store_rollback(c->store);
    return err;
}

static enum steer_err run_set(struct steer_control *c, void *arg, struct steer_diag *diag)
{
    const struct steer_control_switch *s = arg;
    const struct steer_catalog *catalog = steer_linker_catalog(c->linker);
    const struct steer_object *object = steer_catalog_get(catalog, STEER_SWITCH, s->name);
    if (!object)
        return control_not_defined(catalog, STEER_SWITCH, s->name, diag);
    const struct steer_switch *control = &object->control_switch;
    if (steer_switch_position(control, s->position) == control->position_count)
        return no_position(object, s->position, diag);
    const struct steer_store_position row = {s->name, s->position, s->reason ? s->reason : "",
                                             s->owner ? s->owner : "", steer_clock_unix_s()};
    enum steer_err err = write_position(c, &row, s->by, diag);
    if (err != STEER_OK)
        return err;
    char *texts[] = {steer_strdup(row.name), steer_strdup(row.position), steer_strdup(row.reason),
                     steer_strdup(row.owner)};
    steer_vitals_set_switch(c->vitals, &(struct steer_switch_setting){texts[0], texts[1], texts[2],
                                                                      texts[3], row.set_unix_s});
    for (unsigned i = 0; i < STEER_ARRAY_LEN(texts); i++)
        free(texts[i]);
    const uint32_t changed = steer_linker_refresh(c->linker, STEER_SWITCH, s->name);
    steer_log(STEER_LOG_INFO, "control", "switch %s is at %s; %u cells changed", s->name,
              s->position, changed);
    return STEER_OK;
}

enum steer_err steer_control_switch_set(struct steer_control *c,
                                        const struct steer_control_switch *s,
                                        struct steer_diag *diag)
{
    struct steer_control_switch copy = *s;
    return control_call(c, run_set, &copy, diag);
}

static json_t *switch_json(const struct steer_control *c, const struct steer_object *object)
{
    const struct steer_switch *control = &object->control_switch;
    const struct steer_switch_setting *setting = steer_vitals_get_switch(c->vitals, object->name);
    const uint32_t at = steer_vitals_position(c->vitals, object);
    char set[32];
    json_t *positions = json_array();
    for (uint32_t i = 0; i < control->position_count; i++)
        json_array_append_new(positions, json_string(control->positions[i]));
    return json_pack("{s:s,s:s,s:s,s:o,s:s,s:s,s:o}", "name", object->name, "position",
                     control->positions[at], "initial", control->positions[control->initial],
                     "positions", positions, "reason", setting ? setting->reason : "", "owner",
                     setting ? setting->owner : "", "set",
                     setting ? json_string(steer_time_format(setting->set_unix_s, set, sizeof set))
                             : json_null());
}

static enum steer_err run_list(struct steer_control *c, void *arg, struct steer_diag *diag)
{
    const struct steer_catalog *catalog = steer_linker_catalog(c->linker);
    const size_t count = steer_catalog_count(catalog, STEER_SWITCH);
    const struct steer_object **list = steer_catalog_list(catalog, STEER_SWITCH);
    json_t *out = json_array();
    (void)diag;
    for (size_t i = 0; i < count; i++)
        json_array_append_new(out, switch_json(c, list[i]));
    free(list);
    *(json_t **)arg = out;
    return STEER_OK;
}

enum steer_err steer_control_switches(struct steer_control *c, json_t **list,
                                      struct steer_diag *diag)
{
    return control_call(c, run_list, list, diag);
}
