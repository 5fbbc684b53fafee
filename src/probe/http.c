// SPDX-License-Identifier: GPL-3.0-or-later
// http and https: libcurl's multi interface on the prober's own epoll and timers. Each probe takes a new
// connection and a full handshake, because it must also prove that a new client gets through.
#include <curl/curl.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "probe_internal.h"
#include "steerd/base/buf.h"
#include "steerd/base/clock.h"
#include "steerd/base/log.h"
#include "steerd/base/mem.h"

#define SYSTEM_CA_FILE   "/etc/ssl/certs/ca-certificates.crt"
#define BODY_BYTES_MAX   5120
#define HEADER_BYTES_MAX 65536 // libcurl 7.88 keeps every header and has no bound of its own

struct http_state {
    CURLM *multi;
    struct probe_timer timer; // libcurl's one time-out
    char *ca_file;
};

struct http_run {
    struct probe_target *target;
    CURL *easy;
    struct curl_slist *connect_to;
    bool body_complete; // we have seen as much of the body as we want
    size_t header_bytes, body_bytes;
    char error[CURL_ERROR_SIZE];
    char body[BODY_BYTES_MAX];
};

static struct http_state *state_of(const struct steer_prober *prober)
{
    return prober->driver_state[PROBE_DRIVER_HTTP];
}

static void release(struct steer_prober *prober, struct http_run *run)
{
    if (run->easy) {
        curl_multi_remove_handle(state_of(prober)->multi, run->easy);
        curl_easy_cleanup(run->easy);
    }
    curl_slist_free_all(run->connect_to);
    run->target->run = NULL;
    free(run);
}

static void cancel(struct steer_prober *prober, struct probe_target *target)
{
    release(prober, target->run);
}

// How far a probe came that ran out of time.
static const char *stage(CURL *easy, bool tls)
{
    curl_off_t tls_us = 0, answer_us = 0;
    long local_port = 0; // known once connected; CURLINFO_CONNECT_TIME_T waits for TLS in 7.88
    curl_easy_getinfo(easy, CURLINFO_LOCAL_PORT, &local_port);
    curl_easy_getinfo(easy, CURLINFO_APPCONNECT_TIME_T, &tls_us);
    curl_easy_getinfo(easy, CURLINFO_STARTTRANSFER_TIME_T, &answer_us);
    if (!local_port)
        return "while connecting";
    if (tls && !tls_us)
        return "in the TLS handshake";
    return answer_us ? "while reading the answer" : "waiting for an answer";
}

// libcurl's own words without what our own already say.
static const char *detail(const struct http_run *run, CURLcode code)
{
    static const char *const prefixes[] = {"SSL certificate problem: ", "SSL: "};
    const char *text = run->error[0] ? run->error : curl_easy_strerror(code);
    for (size_t i = 0; i < STEER_ARRAY_LEN(prefixes); i++)
        if (strncmp(text, prefixes[i], strlen(prefixes[i])) == 0)
            return text + strlen(prefixes[i]);
    return text;
}

static void explain_failure(struct http_run *run, CURLcode code, char *out, size_t size)
{
    const struct steer_probe_target *spec = &run->target->spec;
    const char *text = detail(run, code);
    long os_errno = 0;
    curl_easy_getinfo(run->easy, CURLINFO_OS_ERRNO, &os_errno);
    if (run->header_bytes > HEADER_BYTES_MAX)
        snprintf(out, size, "answer's header is over %d bytes", HEADER_BYTES_MAX);
    else if (code == CURLE_OPERATION_TIMEDOUT)
        snprintf(out, size, "timed out after %u ms %s", spec->timeout_ms,
                 stage(run->easy, spec->kind == STEER_PROBE_HTTPS));
    else if (code == CURLE_PEER_FAILED_VERIFICATION || code == CURLE_SSL_CACERT_BADFILE)
        snprintf(out, size, "certificate: %s", text);
    else if (code == CURLE_SSL_CONNECT_ERROR)
        snprintf(out, size, "TLS: %s", text);
    else if (code == CURLE_GOT_NOTHING)
        snprintf(out, size, "closed without answering");
    else if (code == CURLE_PARTIAL_FILE)
        snprintf(out, size, "answer ends early");
    else if (code == CURLE_UNSUPPORTED_PROTOCOL || code == CURLE_WEIRD_SERVER_REPLY)
        snprintf(out, size, "answer is not HTTP");
    else if (os_errno && (code == CURLE_COULDNT_CONNECT || code == CURLE_RECV_ERROR ||
                          code == CURLE_SEND_ERROR))
        probe_errno_text((int)os_errno, out, size);
    else
        snprintf(out, size, "%s", text);
}

static bool judge(struct http_run *run, CURLcode code, char *reason, size_t size)
{
    const struct steer_probe_target *spec = &run->target->spec;
    if (code != CURLE_OK && !run->body_complete) {
        explain_failure(run, code, reason, size);
        return false;
    }
    long status = 0;
    curl_easy_getinfo(run->easy, CURLINFO_RESPONSE_CODE, &status);
    if (status < spec->status_min || status > spec->status_max) {
        if (spec->status_min == spec->status_max)
            snprintf(reason, size, "status %ld, wanted %u", status, spec->status_min);
        else
            snprintf(reason, size, "status %ld, wanted %u-%u", status, spec->status_min,
                     spec->status_max);
        return false;
    }
    if (spec->expect_body &&
        !memmem(run->body, run->body_bytes, spec->expect_body, strlen(spec->expect_body))) {
        snprintf(reason, size, "body lacks '%.60s'", spec->expect_body);
        return false;
    }
    snprintf(reason, size, "status %ld in %u ms", status, probe_took_ms(run->target));
    return true;
}

static void finish(struct steer_prober *prober, struct http_run *run, CURLcode code)
{
    struct probe_target *target = run->target;
    char reason[PROBE_REASON_MAX];
    bool pass = judge(run, code, reason, sizeof reason);
    release(prober, run);
    probe_finish(prober, target, pass, reason);
}

// Lets libcurl work, then collects what has ended. Never called from within one of libcurl's callbacks.
static void advance(struct steer_prober *prober, curl_socket_t fd, int bits)
{
    CURLM *multi = state_of(prober)->multi;
    int left;
    curl_multi_socket_action(multi, fd, bits, &left);
    for (CURLMsg *message; (message = curl_multi_info_read(multi, &left));) {
        if (message->msg != CURLMSG_DONE)
            continue;
        CURLcode code = message->data.result;
        char *run = NULL;
        curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &run);
        finish(prober, (struct http_run *)(void *)run, code);
    }
}

static void timer_fired(struct steer_prober *prober, void *ctx)
{
    (void)ctx;
    advance(prober, CURL_SOCKET_TIMEOUT, 0);
}

static void socket_ready(struct steer_prober *prober, int fd, uint32_t events, void *ctx)
{
    (void)ctx;
    advance(prober, fd,
            (events & EPOLLIN ? CURL_CSELECT_IN : 0) | (events & EPOLLOUT ? CURL_CSELECT_OUT : 0) |
                (events & (EPOLLERR | EPOLLHUP) ? CURL_CSELECT_ERR : 0));
}

static int on_socket(CURL *easy, curl_socket_t fd, int what, void *ctx, void *unused)
{
    (void)easy, (void)unused;
    if (what == CURL_POLL_REMOVE)
        probe_unwatch(ctx, fd);
    else if (!probe_watch(ctx, fd,
                          (what & CURL_POLL_IN ? (uint32_t)EPOLLIN : 0) |
                              (what & CURL_POLL_OUT ? (uint32_t)EPOLLOUT : 0),
                          socket_ready, NULL))
        steer_log(STEER_LOG_ERROR, "probe", "cannot watch a socket: %s", strerror(errno));
    return 0;
}

static int on_timer(CURLM *multi, long timeout_ms, void *ctx)
{
    struct steer_prober *prober = ctx;
    struct probe_timer *timer = &state_of(prober)->timer;
    (void)multi;
    if (timeout_ms < 0)
        probe_timer_clear(&prober->timers, timer);
    else
        probe_timer_set(&prober->timers, timer,
                        steer_clock_mono_ns() + (uint64_t)timeout_ms * STEER_NS_PER_MS);
    return 0;
}

static size_t on_header(char *data, size_t size, size_t count, void *ctx)
{
    struct http_run *run = ctx;
    (void)data;
    run->header_bytes += size * count;
    return run->header_bytes > HEADER_BYTES_MAX ? 0 : size * count;
}

static size_t on_body(char *data, size_t size, size_t count, void *ctx)
{
    struct http_run *run = ctx;
    size_t len = size * count, room = sizeof run->body - run->body_bytes;
    size_t take = len < room ? len : room;
    memcpy(run->body + run->body_bytes, data, take);
    run->body_bytes += take;
    if (take == len)
        return len;
    run->body_complete = true; // a short count ends the transfer
    return 0;
}

// The URL carries Host and SNI; CURLOPT_CONNECT_TO leads it to the target's address and port. A host is
// sent as configured, without our port.
static void describe(const struct steer_probe_target *spec, struct steer_buf *url,
                     struct steer_buf *connect_to)
{
    const char *scheme = spec->kind == STEER_PROBE_HTTPS ? "https" : "http";
    const char *slash = spec->path[0] == '/' ? "" : "/";
    char text[64];
    struct steer_addr literal;
    steer_addr_format(&spec->addr, text, sizeof text);
    const char *open = spec->addr.family == STEER_V6 ? "[" : "";
    const char *shut = spec->addr.family == STEER_V6 ? "]" : "";
    steer_buf_printf(connect_to, "::%s%s%s:%u", open, text, shut, spec->port);
    if (!spec->host)
        steer_buf_printf(url, "%s://%s%s%s:%u%s%s", scheme, open, text, shut, spec->port, slash,
                         spec->path);
    else if (steer_addr_parse(spec->host, &literal) && literal.family == STEER_V6)
        steer_buf_printf(url, "%s://[%s]%s%s", scheme, spec->host, slash, spec->path);
    else
        steer_buf_printf(url, "%s://%s%s%s", scheme, spec->host, slash, spec->path);
}

#define SET(option, value) (ok = ok && curl_easy_setopt(easy, option, value) == CURLE_OK)

static bool set_request(struct http_run *run, CURL *easy)
{
    const struct steer_probe_target *spec = &run->target->spec;
    struct steer_buf url = {0}, connect_to = {0};
    bool ok = true;
    describe(spec, &url, &connect_to);
    run->connect_to = curl_slist_append(NULL, connect_to.data);
    SET(CURLOPT_URL, url.data);
    SET(CURLOPT_CONNECT_TO, run->connect_to);
    SET(CURLOPT_PROTOCOLS_STR, spec->kind == STEER_PROBE_HTTPS ? "https" : "http");
    SET(CURLOPT_PATH_AS_IS, 1L);
    SET(CURLOPT_USERAGENT, "steerd/" STEER_VERSION);
    if (strcmp(spec->method, "HEAD") == 0) {
        SET(CURLOPT_NOBODY, 1L);
    } else if (strcmp(spec->method, "POST") == 0) {
        SET(CURLOPT_POSTFIELDS, "");
        SET(CURLOPT_POSTFIELDSIZE, 0L);
    } else if (strcmp(spec->method, "GET") != 0) {
        SET(CURLOPT_CUSTOMREQUEST, spec->method);
    }
    ok = ok && run->connect_to;
    steer_buf_fini(&url);
    steer_buf_fini(&connect_to);
    return ok;
}

static bool set_transfer(struct http_run *run, CURL *easy)
{
    bool ok = true;
    SET(CURLOPT_PRIVATE, (char *)run);
    SET(CURLOPT_ERRORBUFFER, run->error);
    SET(CURLOPT_HEADERFUNCTION, on_header);
    SET(CURLOPT_HEADERDATA, run);
    SET(CURLOPT_WRITEFUNCTION, on_body);
    SET(CURLOPT_WRITEDATA, run);
    SET(CURLOPT_TIMEOUT_MS, (long)run->target->spec.timeout_ms);
    SET(CURLOPT_NOSIGNAL, 1L);
    SET(CURLOPT_FOLLOWLOCATION, 0L);
    SET(CURLOPT_PROXY, "");
    SET(CURLOPT_NOPROXY, "*");
    SET(CURLOPT_FRESH_CONNECT, 1L);
    SET(CURLOPT_FORBID_REUSE, 1L);
    // All addresses are literals; a cache of them would only be walked through at each probe.
    SET(CURLOPT_DNS_CACHE_TIMEOUT, 0L);
    return ok;
}

static bool set_tls(const struct http_run *run, CURL *easy, const char *ca_file)
{
    bool verify = run->target->spec.verify, ok = true;
    SET(CURLOPT_SSL_VERIFYPEER, verify ? 1L : 0L);
    SET(CURLOPT_SSL_VERIFYHOST, verify ? 2L : 0L);
    SET(CURLOPT_CAINFO, verify ? ca_file : NULL);
    SET(CURLOPT_CAPATH, NULL);
    SET(CURLOPT_SSL_SESSIONID_CACHE, 0L); // a resumed session would not show its certificate
    return ok;
}

#undef SET

// RFC 9110 section 9.1: a token; nothing else may reach the request line.
static bool is_method(const char *text)
{
    size_t len = strlen(text);
    return len <= 32 &&
           strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
                        "!#$%&'*+-.^_`|~") == len;
}

static void start(struct steer_prober *prober, struct probe_target *target)
{
    struct http_state *http = state_of(prober);
    struct http_run *run = steer_calloc(1, sizeof *run);
    const char *reason = NULL;
    run->target = target;
    run->easy = curl_easy_init();
    target->run = run;
    if (!is_method(target->spec.method))
        reason = "the method is not one word";
    else if (!run->easy || !set_request(run, run->easy) || !set_transfer(run, run->easy) ||
             !set_tls(run, run->easy, http->ca_file))
        reason = "the request cannot be set up";
    else if (curl_multi_add_handle(http->multi, run->easy) != CURLM_OK)
        reason = "the request cannot be started";
    if (reason) {
        release(prober, run);
        probe_finish(prober, target, false, reason);
    }
}

static void init_curl(void)
{
    curl_global_init(CURL_GLOBAL_DEFAULT);
}

static enum steer_err open_http(struct steer_prober *prober,
                                const struct steer_prober_options *options, struct steer_diag *diag)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, init_curl);
    const char *ca_file = options->ca_file ? options->ca_file : SYSTEM_CA_FILE;
    if (access(ca_file, R_OK) != 0) {
        if (options->ca_file)
            return steer_diag_set(diag, STEER_EIO, "cannot read the CA file '%s': %s", ca_file,
                                  strerror(errno));
        steer_log(STEER_LOG_WARN, "probe", "cannot read '%s' (%s): https probes that verify fail",
                  ca_file, strerror(errno));
    }
    CURLM *multi = curl_multi_init();
    if (!multi)
        return steer_diag_set(diag, STEER_EIO, "libcurl cannot be set up");
    struct http_state *http = steer_calloc(1, sizeof *http);
    http->multi = multi;
    http->timer.fire = timer_fired;
    http->ca_file = steer_strdup(ca_file);
    prober->driver_state[PROBE_DRIVER_HTTP] = http;
    curl_multi_setopt(multi, CURLMOPT_SOCKETFUNCTION, on_socket);
    curl_multi_setopt(multi, CURLMOPT_SOCKETDATA, prober);
    curl_multi_setopt(multi, CURLMOPT_TIMERFUNCTION, on_timer);
    curl_multi_setopt(multi, CURLMOPT_TIMERDATA, prober);
    curl_multi_setopt(multi, CURLMOPT_MAXCONNECTS, (long)prober->max_in_flight);
    return STEER_OK;
}

static void close_http(struct steer_prober *prober)
{
    struct http_state *http = state_of(prober);
    if (!http)
        return;
    curl_multi_cleanup(http->multi); // may still call on_socket and on_timer
    probe_timer_clear(&prober->timers, &http->timer);
    prober->driver_state[PROBE_DRIVER_HTTP] = NULL;
    free(http->ca_file);
    free(http);
}

const struct probe_driver probe_http_driver = {
    .id = PROBE_DRIVER_HTTP,
    .keeps_time = true,
    .open = open_http,
    .close = close_http,
    .start = start,
    .cancel = cancel,
};
