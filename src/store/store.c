// SPDX-License-Identifier: GPL-3.0-or-later
// The data folder, its lock, the connection, and transactions.
#include "store_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "steerd/base/clock.h"
#include "steerd/base/mem.h"

enum {
    BUSY_MS = 2000,                // how long to wait for another program's write
    QUICK_CHECK_BYTES = 32 << 20,  // up to here a check at start costs a few tens of milliseconds
    RELEASE_CACHE_CHANGES = 10000, // a bigger change gives its page cache back
};

static enum steer_err file_error(const char *doing, const char *path, struct steer_diag *diag)
{
    return steer_diag_set(diag, STEER_EIO, "%s %s: %s", doing, path, strerror(errno));
}

// ---- folder and lock -------------------------------------------------------------------------------

// A new folder is only there after a power loss when its parent has been written too.
static void sync_parent(const char *folder)
{
    char parent[PATH_MAX];
    snprintf(parent, sizeof parent, "%s/..", folder);
    int fd = open(parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return;
    fsync(fd);
    close(fd);
}

// The absolute path, so that a later chdir changes nothing and SQLite never takes it for a URI.
static enum steer_err make_folder(const char *folder, char absolute[PATH_MAX],
                                  struct steer_diag *diag)
{
    if (mkdir(folder, 0700) == 0)
        sync_parent(folder);
    else if (errno != EEXIST)
        return file_error("cannot create the data folder", folder, diag);
    if (!realpath(folder, absolute))
        return file_error("cannot use the data folder", folder, diag);
    return STEER_OK;
}

// flock and not fcntl: it also holds against a second open in this process, and no other close of the
// file lets it go. The file stays when steerd ends; who opens it next might hold a removed one otherwise.
static enum steer_err lock_folder(const char *folder, int *lock_fd, struct steer_diag *diag)
{
    char path[PATH_MAX + 16];
    snprintf(path, sizeof path, "%s/steerd.lock", folder);
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return file_error("cannot open", path, diag);
    if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
        enum steer_err err = file_error("cannot lock", path, diag);
        if (errno == EWOULDBLOCK) {
            char pid[24] = "";
            ssize_t n = pread(fd, pid, sizeof pid - 1, 0);
            pid[n > 0 ? strspn(pid, "0123456789") : 0] = '\0';
            err = steer_diag_set(diag, STEER_ECONFLICT,
                                 "another steerd uses this data folder: %s (process %s)", folder,
                                 *pid ? pid : "unknown");
        }
        close(fd);
        return err;
    }
    // For people and for the message above; that it could be written doesn't matter.
    if (ftruncate(fd, 0) != 0 || dprintf(fd, "%ld\n", (long)getpid()) < 0)
        errno = 0;
    *lock_fd = fd;
    return STEER_OK;
}

// ---- connection ------------------------------------------------------------------------------------

// SQLite would create the file by the umask; its WAL takes the mode of the database.
static enum steer_err create_private(const char *path, struct steer_diag *diag)
{
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return file_error("cannot open", path, diag);
    close(fd);
    return STEER_OK;
}

static enum steer_err execute(sqlite3 *db, const char *sql, struct steer_diag *diag)
{
    int rc = sqlite3_exec(db, sql, NULL, NULL, NULL);
    return rc == SQLITE_OK ? STEER_OK
                           : steer_store_fail(db, rc, "opening the database:", sql, diag);
}

// An empty file is ours to fill; anything else must carry our mark, before the first byte is changed.
static enum steer_err check_owner(sqlite3 *db, struct steer_diag *diag)
{
    int64_t mark = 0, objects = 0;
    enum steer_err err = steer_store_number(db, "PRAGMA application_id", &mark, diag);
    if (err || mark == STEER_STORE_APPLICATION_ID)
        return err;
    err = steer_store_number(db, "SELECT count(*) FROM sqlite_schema", &objects, diag);
    if (!err && (mark != 0 || objects != 0))
        err = steer_diag_set(diag, STEER_EINVAL,
                             "steerd.db is a database of another program (application id %lld)",
                             (long long)mark);
    return err;
}

static enum steer_err quick_check(sqlite3 *db, struct steer_diag *diag)
{
    int64_t bytes = 0;
    enum steer_err err = steer_store_number(
        db, "SELECT page_count * page_size FROM pragma_page_count, pragma_page_size", &bytes, diag);
    if (err || bytes > QUICK_CHECK_BYTES)
        return err;
    sqlite3_stmt *statement;
    int rc = sqlite3_prepare_v2(db, "PRAGMA quick_check(1)", -1, &statement, NULL);
    if (rc == SQLITE_OK)
        rc = sqlite3_step(statement);
    if (rc != SQLITE_ROW)
        err = steer_store_fail(db, rc, "checking", "the database", diag);
    else if (strcmp(steer_store_column(statement, 0), "ok") != 0)
        err = steer_diag_set(diag, STEER_EIO,
                             "the database is damaged: %s (restore the data folder from a copy)",
                             steer_store_column(statement, 0));
    sqlite3_finalize(statement);
    return err;
}

static enum steer_err use_wal(sqlite3 *db, struct steer_diag *diag)
{
    sqlite3_stmt *statement;
    int rc = sqlite3_prepare_v2(db, "PRAGMA journal_mode=WAL", -1, &statement, NULL);
    if (rc == SQLITE_OK)
        rc = sqlite3_step(statement);
    enum steer_err err = STEER_OK;
    if (rc != SQLITE_ROW)
        err = steer_store_fail(db, rc, "switching", "the database to WAL", diag);
    else if (strcmp(steer_store_column(statement, 0), "wal") != 0)
        err = steer_diag_set(diag, STEER_EIO,
                             "the database cannot use write-ahead logging on this file system");
    sqlite3_finalize(statement);
    return err;
}

static enum steer_err prepare_database(sqlite3 *db, struct steer_diag *diag)
{
    sqlite3_extended_result_codes(db, 1);
    sqlite3_busy_timeout(db, BUSY_MS);
    sqlite3_db_config(db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    enum steer_err err = check_owner(db, diag);
    if (!err)
        err = use_wal(db, diag);
    // Checkpoints after 8 MiB of log; a log that one import made longer is cut again. The cache is for
    // imports in no order; it is given back after them, because the world holds what queries need.
    if (!err)
        err =
            execute(db,
                    "PRAGMA synchronous=FULL; PRAGMA foreign_keys=OFF; PRAGMA secure_delete=OFF;"
                    "PRAGMA temp_store=MEMORY; PRAGMA cell_size_check=ON; PRAGMA cache_size=-32768;"
                    "PRAGMA wal_autocheckpoint=2000; PRAGMA journal_size_limit=16777216;",
                    diag);
    if (!err)
        err = quick_check(db, diag);
    if (!err)
        err = steer_store_migrate(db, steer_store_migrations, steer_store_migration_count, diag);
    if (!err)
        err = execute(db, "PRAGMA foreign_keys=ON", diag);
    return err;
}

static enum steer_err open_database(struct steer_store *store, const char *folder,
                                    struct steer_diag *diag)
{
    char path[PATH_MAX + 16];
    snprintf(path, sizeof path, "%s/steerd.db", folder);
    enum steer_err err = create_private(path, diag);
    if (err)
        return err;
    int rc = sqlite3_open_v2(path, &store->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL);
    if (rc != SQLITE_OK)
        return steer_store_fail(store->db, rc, "opening", path, diag);
    err = prepare_database(store->db, diag);
    if (err && (sqlite3_errcode(store->db) & 0xff) == SQLITE_BUSY)
        err = STEER_ECONFLICT;
    return err;
}

enum steer_err steer_store_open(const char *folder, struct steer_store **store,
                                struct steer_diag *diag)
{
    char absolute[PATH_MAX];
    enum steer_err err = make_folder(folder, absolute, diag);
    if (err)
        return err;
    struct steer_store *opened = steer_calloc(1, sizeof *opened);
    opened->lock_fd = -1;
    err = lock_folder(absolute, &opened->lock_fd, diag);
    if (!err)
        err = open_database(opened, absolute, diag);
    if (err) {
        steer_store_close(opened);
        return err;
    }
    *store = opened;
    return STEER_OK;
}

void steer_store_close(struct steer_store *store)
{
    if (!store)
        return;
    steer_store_finalize(store);
    sqlite3_close(store->db); // an open transaction is undone, the log is folded into the database
    if (store->lock_fd >= 0)
        close(store->lock_fd);
    free(store);
}

void steer_store_release_cache(struct steer_store *store)
{
    sqlite3_db_release_memory(store->db);
    malloc_trim(0); // thousands of pages, freed below others: free() alone keeps them
}

// ---- transactions ----------------------------------------------------------------------------------

enum steer_err steer_store_begin(struct steer_store *store, struct steer_diag *diag)
{
    store->changes_at_begin = sqlite3_total_changes64(store->db);
    return steer_store_step(store, SQL_BEGIN, NULL, diag);
}

static enum steer_err name_broken_reference(void *ctx, sqlite3_stmt *row)
{
    return steer_diag_set(ctx, STEER_ECONFLICT, "%s '%s' refers to %s '%s', which does not exist",
                          steer_store_column(row, 0), steer_store_column(row, 1),
                          steer_store_column(row, 2), steer_store_column(row, 3));
}

enum steer_err steer_store_commit(struct steer_store *store, struct steer_diag *diag)
{
    uint64_t start_ns = steer_clock_mono_ns();
    enum steer_err err = steer_store_run(store, SQL_COMMIT, NULL, 0, NULL, diag);
    store->commit_ns = steer_clock_mono_ns() - start_ns;
    // Only deferred foreign keys make a commit say this.
    if (err == STEER_ENOTFOUND) {
        err = steer_store_scan(store, SQL_BROKEN_REFERENCE, NULL, 0, name_broken_reference, diag,
                               diag);
        return err ? err : STEER_ECONFLICT;
    }
    if (sqlite3_total_changes64(store->db) - store->changes_at_begin > RELEASE_CACHE_CHANGES)
        steer_store_release_cache(store);
    return err;
}

void steer_store_rollback(struct steer_store *store)
{
    // SQLite may have done it by itself, for example when the disk was full.
    if (!sqlite3_get_autocommit(store->db))
        sqlite3_exec(store->db, "ROLLBACK", NULL, NULL, NULL);
}

enum steer_err steer_store_savepoint(struct steer_store *store, struct steer_diag *diag)
{
    return steer_store_run(store, SQL_SAVEPOINT, NULL, 0, NULL, diag);
}

enum steer_err steer_store_release(struct steer_store *store, struct steer_diag *diag)
{
    return steer_store_run(store, SQL_RELEASE, NULL, 0, NULL, diag);
}

void steer_store_rollback_savepoint(struct steer_store *store)
{
    if (!sqlite3_get_autocommit(store->db) &&
        sqlite3_exec(store->db, "ROLLBACK TO nested; RELEASE nested", NULL, NULL, NULL) !=
            SQLITE_OK)
        steer_store_rollback(store); // rather nothing than a part
}

uint64_t steer_store_commit_ns(const struct steer_store *store)
{
    return store->commit_ns;
}
