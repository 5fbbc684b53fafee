// SPDX-License-Identifier: GPL-3.0-or-later
// Which driver serves which kind, and the words that drivers share.
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "probe_internal.h"

const struct probe_driver *const probe_drivers[PROBE_DRIVERS] = {
    [PROBE_DRIVER_HTTP] = &probe_http_driver,
    [PROBE_DRIVER_TCP] = &probe_tcp_driver,
};

const struct probe_driver *probe_driver_of(enum steer_probe_kind kind)
{
    static const enum probe_driver_id serves[] = {
        [STEER_PROBE_HTTP] = PROBE_DRIVER_HTTP,
        [STEER_PROBE_HTTPS] = PROBE_DRIVER_HTTP,
        [STEER_PROBE_TCP] = PROBE_DRIVER_TCP,
    };
    return probe_drivers[serves[kind]];
}

const char *probe_errno_text(int error, char *out, size_t size)
{
    char system_text[128];
    const char *text = strerror_r(error, system_text, sizeof system_text);
    if (error == ENETUNREACH)
        text = "network unreachable";
    else if (error == ECONNRESET)
        text = "connection reset";
    snprintf(out, size, "%s", text);
    // "No route to host" reads as the start of a sentence, "RPC ..." as an abbreviation.
    if (size > 1 && out[0] && !isupper((unsigned char)out[1]))
        out[0] = (char)tolower((unsigned char)out[0]);
    return out;
}
