// SPDX-License-Identifier: GPL-3.0-or-later
// Which file an $INCLUDE may read: a regular one inside the folder given, symbolic links resolved.
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "rr_internal.h"

static bool climbs(const char *name)
{
    for (const char *p = name; p; p = strchr(p, '/')) {
        p += *p == '/';
        size_t n = strcspn(p, "/");
        if (n == 2 && p[0] == '.' && p[1] == '.')
            return true;
    }
    return false;
}

static bool is_inside(const char *path, const char *dir)
{
    size_t n = strlen(dir);
    if (n == 1)
        return true; // the folder is the root of the file system
    return strncmp(path, dir, n) == 0 && path[n] == '/';
}

static enum steer_err check(const char *dir, const char *path, const char *name,
                            struct steer_diag *diag)
{
    if (!is_inside(path, dir))
        return steer_diag_set(diag, STEER_EINVAL,
                              "$INCLUDE of '%.200s' is refused: it lies outside %.200s", name, dir);
    struct stat st;
    if (stat(path, &st) != 0)
        return steer_diag_set(diag, STEER_EIO, "$INCLUDE of '%.200s': %s", name, strerror(errno));
    if (!S_ISREG(st.st_mode))
        return steer_diag_set(diag, STEER_EINVAL,
                              "$INCLUDE of '%.200s' is refused: it is not a regular file", name);
    return STEER_OK;
}

enum steer_err steer_include_resolve(const char *dir, const char *name, char **path,
                                     struct steer_diag *diag)
{
    // Before the file system is asked, so that the answer does not tell what exists outside.
    if (climbs(name))
        return steer_diag_set(diag, STEER_EINVAL,
                              "$INCLUDE of '%.200s' is refused: '..' is not allowed", name);
    char *real_dir = realpath(dir, NULL);
    if (!real_dir)
        return steer_diag_set(diag, STEER_EIO, "$INCLUDE folder %.200s: %s", dir, strerror(errno));
    struct steer_buf full = {0};
    if (*name != '/')
        steer_buf_printf(&full, "%s/", real_dir);
    steer_buf_puts(&full, name);
    char *real = realpath(full.data, NULL);
    enum steer_err err;
    if (!real)
        err = steer_diag_set(diag, STEER_EIO, "$INCLUDE of '%.200s' in %.200s: %s", name, real_dir,
                             strerror(errno));
    else
        err = check(real_dir, real, name, diag);
    if (err == STEER_OK)
        *path = real;
    else
        free(real);
    free(real_dir);
    steer_buf_fini(&full);
    return err;
}
