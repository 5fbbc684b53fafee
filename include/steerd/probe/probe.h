// SPDX-License-Identifier: GPL-3.0-or-later
// The prober pool: asks endpoints how they are and reports each result. Floor 6.
//
// http and https probes run on a libcurl multi handle, tcp probes on plain non-blocking sockets, all in
// one thread per prober driven by epoll. Knows nothing of policies: a target is an address and a way to
// ask. Results go out through one function pointer, called on the probe thread.
#ifndef STEERD_PROBE_PROBE_H
#define STEERD_PROBE_PROBE_H

#include <stdbool.h>
#include <stdint.h>

#include "steerd/base/addr.h"
#include "steerd/base/err.h"

enum steer_probe_kind { STEER_PROBE_HTTP, STEER_PROBE_HTTPS, STEER_PROBE_TCP };

// All strings are copied. Times in ms.
struct steer_probe_target {
    uint64_t key; // the caller's; names the target in results, updates and removals
    enum steer_probe_kind kind;
    struct steer_addr addr;
    uint16_t port;
    uint32_t interval_ms;
    uint32_t timeout_ms; // <= interval_ms; 0: interval_ms
    const char
        *host; // Host and SNI, sent as they are, without the port; NULL: the address and port
    const char *path;                // http(s); NULL: "/"
    const char *method;              // NULL: GET
    const char *expect_body;         // substring in the first 5,120 bytes; NULL: none
    uint16_t status_min, status_max; // passing range; 0,0: 200-399
    bool verify;                     // https: check the certificate
};

struct steer_probe_result {
    uint64_t key;
    bool pass;
    // Never NULL; borrowed for the call: "status 200 in 3 ms", "connection refused", "timed out after 3000 ms".
    const char *reason;
    uint32_t took_ms;
    uint64_t at_unix_s;
};

struct steer_prober;

struct steer_prober_options {
    uint32_t max_in_flight; // 0: 200
    const char *ca_file;    // NULL: the system's bundle
    uint64_t seed;          // spreads start times
    // On the probe thread, with no lock held: may call put, remove and stats, never stop.
    void (*report)(void *ctx, const struct steer_probe_result *result);
    void *ctx;
};

struct steer_prober_stats {
    uint64_t targets, in_flight, started, passed, failed;
    uint64_t
        late; // due times at which max_in_flight, or the target's own last probe, was in the way
};

// Starts the thread. Errors: STEER_EIO with diag.
enum steer_err steer_prober_start(const struct steer_prober_options *options,
                                  struct steer_prober **prober,
                                  struct steer_diag *diag) STEER_MUST_USE;
// Stops and joins; no report is made after it returns.
void steer_prober_stop(struct steer_prober *prober);

// Adds a target or replaces the one with its key. A new target's first probe comes at a random point of
// its first interval (within 1 s at most, so that a start is not blind for long), its second one
// at a random point of the interval after that, which spreads many targets over it, and then one each interval,
// measured from start to start; probes of one target never overlap. Replacing with equal content changes
// nothing. Any thread.
void steer_prober_put(struct steer_prober *prober, const struct steer_probe_target *target);
// Ends the target's probes; a probe under way is dropped without a report. Takes effect on the probe
// thread: a result that ends at this moment may still be reported. Any thread.
void steer_prober_remove(struct steer_prober *prober, uint64_t key);
void steer_prober_stats(struct steer_prober *prober, struct steer_prober_stats *stats);

#endif
