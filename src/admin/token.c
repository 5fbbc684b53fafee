// SPDX-License-Identifier: GPL-3.0-or-later
// The bearer tokens in DATA/admin.token and DATA/beacon.token.
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "admin_internal.h"
#include "steerd/base/log.h"

enum { TOKEN_OCTETS = 32, TOKEN_MIN = 32 };

static enum steer_err read_token(int fd, const char *path, char token[ADMIN_TOKEN_MAX + 1],
                                 struct steer_diag *diag)
{
    struct stat st;
    if (fstat(fd, &st) != 0)
        return steer_diag_set(diag, STEER_EIO, "cannot look at %s: %s", path, strerror(errno));
    if (st.st_mode & 0007)
        return steer_diag_set(
            diag, STEER_EINVAL,
            "%s may be read by everybody (mode %04o): chmod 600 it, or delete it so that "
            "a new one is made",
            path, (unsigned)st.st_mode & 07777);
    char text[ADMIN_TOKEN_MAX + 2];
    ssize_t n = read(fd, text, sizeof text);
    if (n < 0)
        return steer_diag_set(diag, STEER_EIO, "cannot read %s: %s", path, strerror(errno));
    while (n > 0 && isspace((unsigned char)text[n - 1]))
        n--;
    bool printable = n >= TOKEN_MIN && n <= ADMIN_TOKEN_MAX;
    for (ssize_t i = 0; printable && i < n; i++)
        printable = isgraph((unsigned char)text[i]);
    if (!printable)
        return steer_diag_set(
            diag, STEER_EINVAL,
            "%s must hold one line of %d to %d printable characters; delete it so that "
            "a new one is made",
            path, TOKEN_MIN, ADMIN_TOKEN_MAX);
    memcpy(token, text, (size_t)n);
    token[n] = '\0';
    return STEER_OK;
}

static bool write_token(int folder, const char *name)
{
    unsigned char octets[TOKEN_OCTETS];
    char line[2 * TOKEN_OCTETS + 2];
    if (getrandom(octets, sizeof octets, 0) != (ssize_t)sizeof octets)
        return false;
    for (size_t i = 0; i < sizeof octets; i++)
        snprintf(line + 2 * i, 3, "%02x", octets[i]);
    line[sizeof line - 2] = '\n';
    unlinkat(folder, name, 0); // left by a crash
    int fd = openat(folder, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return false;
    bool good = write(fd, line, sizeof line - 1) == (ssize_t)sizeof line - 1 && fsync(fd) == 0;
    return close(fd) == 0 && good;
}

// Written aside and renamed, so that a crash never leaves an empty token.
static enum steer_err create_token(int folder, const char *name, const char *path,
                                   struct steer_diag *diag)
{
    char aside[64];
    snprintf(aside, sizeof aside, "%s.new", name);
    if (!write_token(folder, aside) || renameat(folder, aside, folder, name) != 0 ||
        fsync(folder) != 0)
        return steer_diag_set(diag, STEER_EIO, "cannot write %s: %s", path, strerror(errno));
    steer_log(STEER_LOG_INFO, "admin", "made a new token in %s", path);
    return STEER_OK;
}

enum steer_err admin_token_load(const char *folder_path, const char *name,
                                char token[ADMIN_TOKEN_MAX + 1], struct steer_diag *diag)
{
    char path[512];
    snprintf(path, sizeof path, "%s/%s", folder_path, name);
    int folder = open(folder_path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (folder < 0)
        return steer_diag_set(diag, STEER_EIO, "cannot open the data folder %s: %s", folder_path,
                              strerror(errno));
    enum steer_err err = STEER_OK;
    int fd = openat(folder, name, O_RDONLY | O_CLOEXEC);
    if (fd < 0 && errno == ENOENT) {
        err = create_token(folder, name, path, diag);
        if (err == STEER_OK)
            fd = openat(folder, name, O_RDONLY | O_CLOEXEC);
    }
    if (err == STEER_OK && fd < 0)
        err = steer_diag_set(diag, STEER_EIO, "cannot open %s: %s", path, strerror(errno));
    if (err == STEER_OK)
        err = read_token(fd, path, token, diag);
    if (fd >= 0)
        close(fd);
    close(folder);
    return err;
}

bool admin_token_matches(const char *token, const char *header)
{
    if (!header || strncasecmp(header, "Bearer ", 7) != 0)
        return false;
    const char *given = header + 7;
    given += strspn(given, " ");
    size_t given_len = strlen(given), len = strlen(token);
    unsigned different = given_len != len;
    for (size_t i = 0; i < given_len; i++)
        different |= (unsigned)((unsigned char)given[i] ^ (unsigned char)token[i % len]);
    return !different;
}
