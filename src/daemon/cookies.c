// SPDX-License-Identifier: GPL-3.0-or-later
#include "cookies.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

enum { FILE_MAX_BYTES = 4096, SECRET_DIGITS = 2 * STEER_SIPHASH_KEY_BYTES };

static const char blanks[] = " \t\r\n";

// A line of the file: a secret, a comment, or nothing.
static enum steer_err read_line(char *line, const char *path, unsigned number,
                                struct steer_cookie_secrets *secrets, struct steer_diag *diag)
{
    line += strspn(line, blanks);
    size_t len = strlen(line);
    while (len && strchr(blanks, line[len - 1]))
        line[--len] = '\0';
    if (!len || line[0] == '#')
        return STEER_OK;
    if (secrets->count == STEER_COOKIE_SECRETS_MAX)
        return steer_diag_at(diag, path, number, 0,
                             "a third secret: two are known at a time, the one that signs first");
    if (!steer_cookie_secret_parse(line, secrets->secret[secrets->count]))
        return steer_diag_at(diag, path, number, 0,
                             "a secret is %d hexadecimal digits (128 bits), like openssl rand -hex "
                             "16 makes",
                             SECRET_DIGITS);
    secrets->count++;
    return STEER_OK;
}

static enum steer_err read_lines(char *text, const char *path, struct steer_cookie_secrets *secrets,
                                 struct steer_diag *diag)
{
    struct steer_cookie_secrets read = {0};
    unsigned number = 0;
    for (char *line; (line = strsep(&text, "\n"));) {
        enum steer_err err = read_line(line, path, ++number, &read, diag);
        if (err)
            return err;
    }
    if (!read.count)
        return steer_diag_at(diag, path, 0, 0,
                             "no secret stands in it: one or two lines of %d hexadecimal digits do",
                             SECRET_DIGITS);
    *secrets = read;
    return STEER_OK;
}

static enum steer_err read_file(int fd, const char *path, struct steer_cookie_secrets *secrets,
                                struct steer_diag *diag)
{
    struct stat st;
    char text[FILE_MAX_BYTES + 1];
    if (fstat(fd, &st) != 0)
        return steer_diag_set(diag, STEER_EIO, "cannot look at %s: %s", path, strerror(errno));
    if (!S_ISREG(st.st_mode))
        return steer_diag_at(diag, path, 0, 0, "this is no ordinary file");
    if (st.st_mode & 0007)
        return steer_diag_at(diag, path, 0, 0,
                             "it may be read by everybody (mode %04o): chmod 600 it",
                             (unsigned)st.st_mode & 07777);
    ssize_t n = read(fd, text, sizeof text);
    if (n < 0)
        return steer_diag_set(diag, STEER_EIO, "cannot read %s: %s", path, strerror(errno));
    if (n > FILE_MAX_BYTES)
        return steer_diag_at(diag, path, 0, 0, "more than %d octets: this is another file",
                             FILE_MAX_BYTES);
    text[n] = '\0';
    if (strlen(text) != (size_t)n)
        return steer_diag_at(diag, path, 0, 0, "this is no text");
    return read_lines(text, path, secrets, diag);
}

static bool write_secret(int folder, const char *name)
{
    unsigned char octets[STEER_SIPHASH_KEY_BYTES];
    char line[SECRET_DIGITS + 2];
    if (getrandom(octets, sizeof octets, 0) != (ssize_t)sizeof octets)
        return false;
    for (size_t i = 0; i < sizeof octets; i++)
        snprintf(line + 2 * i, 3, "%02x", octets[i]);
    line[SECRET_DIGITS] = '\n';
    unlinkat(folder, name, 0); // left by a crash
    int fd = openat(folder, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return false;
    bool good = write(fd, line, SECRET_DIGITS + 1) == SECRET_DIGITS + 1 && fsync(fd) == 0;
    return close(fd) == 0 && good;
}

// Written aside and renamed, so that a crash never leaves half a secret.
static enum steer_err make_file(const char *data, const char *path, struct steer_diag *diag)
{
    int folder = open(data, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool good = folder >= 0 && write_secret(folder, "cookie.secrets.new") &&
                renameat(folder, "cookie.secrets.new", folder, "cookie.secrets") == 0 &&
                fsync(folder) == 0;
    int err = errno;
    if (folder >= 0)
        close(folder);
    if (!good)
        return steer_diag_set(diag, STEER_EIO, "cannot write %s: %s", path, strerror(err));
    steer_log(STEER_LOG_INFO, "daemon", "made a new secret for DNS cookies in %s", path);
    return STEER_OK;
}

enum steer_err cookies_load(const struct config *config, bool may_make,
                            struct steer_cookie_secrets *secrets, struct steer_diag *diag)
{
    char path[PATH_MAX];
    const char *given = config->cookie_secrets;
    if (given && strcmp(given, "none") == 0) {
        secrets->count = 0;
        return STEER_OK;
    }
    snprintf(path, sizeof path, "%s%s", given ? given : config->data,
             given ? "" : "/cookie.secrets");
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0 && errno == ENOENT && !given) {
        secrets->count = 0;
        if (!may_make)
            return STEER_OK;
        enum steer_err err = make_file(config->data, path, diag);
        if (err)
            return err;
        fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    }
    if (fd < 0)
        return steer_diag_set(diag, STEER_EIO, "cannot open %s: %s", path, strerror(errno));
    enum steer_err err = read_file(fd, path, secrets, diag);
    close(fd);
    return err;
}
