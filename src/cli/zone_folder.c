// SPDX-License-Identifier: GPL-3.0-or-later
// The files of a zone: its own, and those that it includes, which lie in the same folder or below it.
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli_internal.h"
#include "steerd/base/mem.h"

struct folder {
    const char *top; // the zone's own file; NULL: standard input
    char *real;      // its folder, symbolic links resolved
    size_t max_bytes;
};

// The folder's part of a path, with its slash; empty for a file in the present one.
static size_t folder_len(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? (size_t)(slash - path) + 1 : 0;
}

static char *beside(const char *file, const char *name)
{
    struct steer_buf path = {0};
    if (name[0] != '/')
        steer_buf_add(&path, file, folder_len(file));
    steer_buf_puts(&path, name);
    return steer_buf_take(&path);
}

// The part of a real path below the folder; NULL when it lies outside.
static const char *below(const char *real, const char *folder)
{
    size_t n = strlen(folder);
    if (n == 1)
        return real + 1; // the root
    return strncmp(real, folder, n) == 0 && real[n] == '/' ? real + n + 1 : NULL;
}

// Opens a path below the folder, following no symbolic link: it has none, unless someone has put one there
// since it was resolved.
static int open_below(const char *folder, const char *path)
{
    int dir = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    const char *slash;
    while (dir >= 0 && (slash = strchr(path, '/'))) {
        char *part = steer_strndup(path, (size_t)(slash - path));
        int next = openat(dir, part, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        int error = errno;
        free(part);
        close(dir);
        errno = error;
        dir = next;
        path = slash + 1;
    }
    if (dir < 0)
        return -1;
    int fd = openat(dir, path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    int error = errno;
    close(dir);
    errno = error;
    return fd;
}

static enum steer_err read_open(int fd, const char *shown, size_t max_bytes, struct steer_buf *text,
                                struct steer_diag *diag)
{
    struct stat st;
    char block[65536];
    ssize_t n;
    if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode))
        return steer_diag_set(diag, STEER_EINVAL, "$INCLUDE of %.200s: it is not a regular file",
                              shown);
    while ((n = read(fd, block, sizeof block)) > 0 || (n < 0 && errno == EINTR)) {
        if (n > 0)
            steer_buf_add(text, block, (size_t)n);
        if (text->len > max_bytes)
            return steer_diag_set(diag, STEER_ELIMIT,
                                  "$INCLUDE of %.200s: it has more than %zu MiB", shown,
                                  max_bytes >> 20);
    }
    if (n < 0)
        return steer_diag_set(diag, STEER_EIO, "$INCLUDE of %.200s: cannot read it: %s", shown,
                              strerror(errno));
    steer_buf_puts(text, ""); // so that an empty one has data
    return STEER_OK;
}

// Beside the file that names it, as Knot DNS has it, or else in the zone's folder, as named, started there.
static enum steer_err find(const struct folder *folder, const char *including, const char *name,
                           struct cli_zone_file *file, struct steer_diag *diag)
{
    file->shown = beside(including, name);
    file->real = realpath(file->shown, NULL);
    int error = errno;
    if (!file->real && (error == ENOENT || error == ENOTDIR) && name[0] != '/') {
        char *other = beside(folder->top, name);
        file->real = realpath(other, NULL);
        if (file->real) {
            free(file->shown);
            file->shown = other;
        } else {
            free(other);
        }
    }
    if (file->real)
        return STEER_OK;
    return steer_diag_set(diag, STEER_EIO,
                          "$INCLUDE of '%.200s': cannot open %.300s: %s (a relative name is looked "
                          "for in the folder of the file that has it, then in that of the zone's "
                          "own file)",
                          name, file->shown, strerror(error));
}

static enum steer_err read_included(void *ctx, const char *including, const char *name,
                                    struct cli_zone_file *file, struct steer_diag *diag)
{
    const struct folder *folder = ctx;
    if (!folder->top)
        return steer_diag_set(diag, STEER_EINVAL,
                              "$INCLUDE of '%.200s': a zone from standard input has no folder to "
                              "look in; name the file instead of '-'",
                              name);
    enum steer_err err = find(folder, including, name, file, diag);
    if (err != STEER_OK)
        return err;
    const char *path = below(file->real, folder->real);
    if (!path)
        return steer_diag_set(diag, STEER_EINVAL,
                              "$INCLUDE of '%.200s' is refused: it lies outside %.300s, the folder "
                              "of the zone's own file; put the file in there",
                              name, folder->real);
    int fd = open_below(folder->real, path);
    if (fd < 0)
        return steer_diag_set(diag, STEER_EIO, "$INCLUDE of '%.200s': cannot open %.300s: %s", name,
                              file->shown, strerror(errno));
    err = read_open(fd, file->shown, folder->max_bytes, &file->text, diag);
    close(fd);
    return err;
}

enum steer_err cli_zone_load(const char *path, const char *origin, size_t max_bytes,
                             bool keep_texts, struct cli_zone_text *out, struct steer_diag *diag)
{
    bool is_stdin = strcmp(path, "-") == 0;
    struct folder folder = {.top = is_stdin ? NULL : path, .max_bytes = max_bytes};
    struct cli_zone_reader reader = {read_included, &folder, max_bytes, keep_texts};
    struct cli_zone_file top = {0};
    char *dir = steer_strndup(path, folder_len(path));
    enum steer_err err =
        steer_buf_read_file(&top.text, is_stdin ? "/dev/stdin" : path, max_bytes, diag);
    if (err == STEER_OK) {
        folder.real = realpath(*dir ? dir : ".", NULL);
        top.shown = steer_strdup(is_stdin ? "stdin" : path);
        top.real = realpath(path, NULL);
        // Gone since it was read: nothing can be below it.
        if (!folder.real)
            folder.real = steer_strdup(path);
        if (!top.real)
            top.real = steer_strdup(path);
        err = cli_zone_expand(&top, origin, &reader, out, diag);
    }
    cli_zone_file_fini(&top);
    free(folder.real);
    free(dir);
    return err;
}
