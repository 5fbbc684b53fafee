// SPDX-License-Identifier: GPL-3.0-or-later
// A control with a data folder of its own, and what its tests ask of it.
#ifndef TESTS_CONTROL_SUPPORT_H
#define TESTS_CONTROL_SUPPORT_H

#include "ask.h"

#include <fcntl.h>
#include <ftw.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "control/control_internal.h"
#include "steerd/base/hash.h"
#include "steerd/base/log.h"
#include "steerd/base/mem.h"

struct fixture {
    char folder[64];
    char geo[96];
    struct steer_control *control;
    struct steer_diag diag;
    json_t *summary;
};

static inline void copy_file(const char *from, const char *to)
{
    struct steer_buf data = {0};
    assert_int_equal(steer_buf_read_file(&data, from, 1 << 20, NULL), STEER_OK);
    int fd = open(to, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, data.data, data.len), data.len);
    close(fd);
    steer_buf_fini(&data);
}

static inline void start_control(struct fixture *f, bool probing)
{
    const char *geo[] = {f->geo};
    const struct steer_control_options options = {
        .data_folder = f->folder, .geo_files = geo, .geo_count = 1, .probing = probing};
    if (steer_control_start(&options, &f->control, &f->diag) != STEER_OK)
        fail_msg("%s", f->diag.message);
}

static inline void stop_control(struct fixture *f)
{
    steer_control_stop(f->control);
    f->control = NULL;
}

static inline struct fixture *fixture_create(bool probing)
{
    struct fixture *f = steer_calloc(1, sizeof *f);
    steer_log_set_level(STEER_LOG_ERROR);
    snprintf(f->folder, sizeof f->folder, "/tmp/steerd-control-XXXXXX");
    assert_non_null(mkdtemp(f->folder));
    snprintf(f->geo, sizeof f->geo, "%s/geo.mmdb", f->folder);
    copy_file(STEER_SOURCE_DIR "/geodata/country.mmdb", f->geo);
    start_control(f, probing);
    return f;
}

static inline int remove_entry(const char *path, const struct stat *st, int type, struct FTW *at)
{
    (void)st, (void)type, (void)at;
    return remove(path);
}

static inline void fixture_destroy(struct fixture *f)
{
    stop_control(f);
    json_decref(f->summary);
    nftw(f->folder, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
    free(f);
}

// ---- edits ---------------------------------------------------------------------------------------

static inline enum steer_err apply_with(struct fixture *f, const char *name, const char *text,
                                        struct steer_control_apply options)
{
    const struct steer_control_text t = {name, text, strlen(text)};
    json_decref(f->summary);
    f->summary = NULL;
    options.texts = &t;
    options.count = 1;
    return steer_control_apply(f->control, &options, &f->summary, &f->diag);
}

static inline enum steer_err apply(struct fixture *f, const char *text)
{
    return apply_with(f, "test.yaml", text, (struct steer_control_apply){0});
}

static inline void must_apply(struct fixture *f, const char *text)
{
    if (apply(f, text) != STEER_OK)
        fail_msg("%s", f->diag.message);
}

static inline enum steer_err import(struct fixture *f, const char *origin, const char *text)
{
    const struct steer_control_zone zone = {origin, "zone.db", text, strlen(text)};
    json_decref(f->summary);
    f->summary = NULL;
    return steer_control_import(f->control, &zone, "test", &f->summary, &f->diag);
}

static inline json_int_t summary_number(const struct fixture *f, const char *key)
{
    assert_true(json_is_integer(json_object_get(f->summary, key)));
    return json_integer_value(json_object_get(f->summary, key));
}

// ---- answers -------------------------------------------------------------------------------------

static inline void expect(struct fixture *f, const char *name, uint16_t type, const char *client,
                          const char *want)
{
    char got[512];
    struct steer_world *world = steer_publisher_hold(steer_control_publisher(f->control));
    answer_of(world, name, type, client, got);
    steer_publisher_release(steer_control_publisher(f->control), world);
    assert_string_equal(got, want);
}

static inline uint64_t version_of(struct fixture *f)
{
    struct steer_world *world = steer_publisher_hold(steer_control_publisher(f->control));
    uint64_t version = world->version;
    steer_publisher_release(steer_control_publisher(f->control), world);
    return version;
}

// ---- the thread ----------------------------------------------------------------------------------

static inline enum steer_err do_nothing(struct steer_control *c, void *arg, struct steer_diag *diag)
{
    (void)c, (void)arg, (void)diag;
    return STEER_OK;
}

// Control has taken what had arrived by now, and stored it if it could.
static inline void settle(struct fixture *f)
{
    assert_int_equal(control_call(f->control, do_nothing, NULL, NULL), STEER_OK);
}

struct feed {
    const char *endpoint, *check;
    bool pass;
    int times;
};

static inline enum steer_err run_feed(struct steer_control *c, void *arg, struct steer_diag *diag)
{
    const struct feed *feed = arg;
    const struct steer_vital *vital = steer_vitals_find(c->vitals, feed->endpoint, feed->check);
    (void)diag;
    if (!vital)
        return STEER_ENOTFOUND;
    pthread_mutex_lock(&c->mutex);
    for (int i = 0; i < feed->times; i++) {
        c->results.items = steer_grow(c->results.items, &c->results.cap, c->results.count + 1,
                                      sizeof *c->results.items);
        c->results.items[c->results.count++] = (struct result){.key = vital->key,
                                                               .pass = feed->pass,
                                                               .at_unix_s = 1800000000,
                                                               .reason = "as the test says"};
    }
    pthread_mutex_unlock(&c->mutex);
    return STEER_OK;
}

// Probe results as they come from the prober.
static inline void feed(struct fixture *f, const char *endpoint, const char *check, bool pass,
                        int times)
{
    struct feed one = {endpoint, check, pass, times};
    assert_int_equal(control_call(f->control, run_feed, &one, NULL), STEER_OK);
    settle(f);
}

// ---- all that a change must leave as it was ----------------------------------------------------------

struct figures {
    uint64_t version, cells;
    size_t residuals, classmaps;
    const struct steer_catalog *catalog;
};

static inline enum steer_err run_figures(struct steer_control *c, void *arg,
                                         struct steer_diag *diag)
{
    struct figures *f = arg;
    struct steer_cells_stats cells;
    (void)diag;
    steer_cells_stats(steer_linker_cells(c->linker), &cells);
    *f = (struct figures){steer_linker_world(c->linker)->version, cells.cells,
                          steer_residuals_count(steer_linker_residuals(c->linker)),
                          steer_linker_maps(c->linker).tables, steer_linker_catalog(c->linker)};
    return STEER_OK;
}

static inline struct figures figures_of(struct fixture *f)
{
    struct figures figures;
    assert_int_equal(control_call(f->control, run_figures, &figures, NULL), STEER_OK);
    return figures;
}

static inline void assert_figures_equal(struct figures a, struct figures b)
{
    assert_int_equal(a.version, b.version);
    assert_int_equal(a.cells, b.cells);
    assert_int_equal(a.residuals, b.residuals);
    assert_int_equal(a.classmaps, b.classmaps);
    assert_ptr_equal(a.catalog, b.catalog);
}

static inline int add_row(void *ctx, int columns, char **values, char **names)
{
    (void)names;
    for (int i = 0; i < columns; i++)
        steer_buf_printf(ctx, "%s|", values[i] ? values[i] : "NULL");
    steer_buf_puts(ctx, "\n");
    return 0;
}

// All rows but the audit's, as text to be freed.
static inline char *dump_store(const struct fixture *f)
{
    static const char *const queries[] = {
        "SELECT * FROM site",
        "SELECT * FROM health_check",
        "SELECT * FROM endpoint",
        "SELECT * FROM endpoint_check",
        "SELECT * FROM pool",
        "SELECT * FROM pool_member",
        "SELECT * FROM policy",
        "SELECT id, hex(origin), document FROM zone",
        "SELECT zone_id, hex(owner), type, ttl_s, hex(packed) FROM rrset ORDER BY 1, 2, 3",
        "SELECT name, zone_id, hex(owner), kind, document, body FROM steered",
        "SELECT * FROM override",
        "SELECT * FROM verdict",
        "SELECT * FROM document"};
    char path[96];
    sqlite3 *db;
    struct steer_buf text = {0};
    snprintf(path, sizeof path, "%s/steerd.db", f->folder);
    assert_int_equal(sqlite3_open_v2(path, &db, SQLITE_OPEN_READONLY, NULL), SQLITE_OK);
    for (size_t i = 0; i < STEER_ARRAY_LEN(queries); i++)
        assert_int_equal(sqlite3_exec(db, queries[i], add_row, &text, NULL), SQLITE_OK);
    sqlite3_close(db);
    return steer_buf_take(&text);
}

#endif
