// SPDX-License-Identifier: GPL-3.0-or-later
// The file of the secrets that DNS cookies are signed with.
#ifndef STEERD_DAEMON_COOKIES_H
#define STEERD_DAEMON_COOKIES_H

#include "config.h"
#include "steerd/wire/cookie.h"

// Reads the configured file; without one DATA/cookie.secrets, which is made when it is not there and may_make
// (else: no secrets). secrets->count 0: cookies are off. Errors: STEER_EINVAL, STEER_EIO, with the file and
// where there is one the line.
enum steer_err cookies_load(const struct config *config, bool may_make,
                            struct steer_cookie_secrets *secrets,
                            struct steer_diag *diag) STEER_MUST_USE;

#endif
