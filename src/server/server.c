// SPDX-License-Identifier: GPL-3.0-or-later
#include "steerd/server/server.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "server_internal.h"
#include "steerd/base/clock.h"
#include "steerd/base/log.h"
#include "steerd/base/mem.h"

enum {
    TCP_BACKLOG = 1024,
    TCP_FASTOPEN_QUEUE = 256,
    TCP_SEND_BYTES = 128 << 10, // of the kernel's memory for a peer that does not read
    PORT_TRIES = 32,
};

void *aligned_zeroed(size_t size)
{
    void *p = aligned_alloc(CACHE_LINE, (size + CACHE_LINE - 1) & ~(size_t)(CACHE_LINE - 1));
    if (!p) {
        steer_log(STEER_LOG_ERROR, "server", "out of memory");
        abort();
    }
    memset(p, 0, size);
    return p;
}

uint32_t unix_s_rounded_up(void)
{
    return (uint32_t)((steer_clock_unix_ms() + 999) / 1000);
}

// ---- sockets -------------------------------------------------------------------------------------

static void set_int(int fd, int level, int name, int value)
{
    (void)!setsockopt(fd, level, name, &value, sizeof value);
}

static uint16_t port_of(const struct sockaddr_storage *sa)
{
    struct steer_addr addr;
    uint16_t port;
    steer_addr_from_sockaddr(sa, &addr, &port);
    return port;
}

static bool is_wildcard(const struct sockaddr_storage *sa)
{
    static const uint8_t zero[16];
    struct steer_addr addr;
    steer_addr_from_sockaddr(sa, &addr, NULL);
    return memcmp(addr.octets, zero, sizeof zero) == 0;
}

// Never a "fragmentation needed" that lowers what we send (dns.md, PMTU off): OMIT also ignores such
// messages where they are forged; older kernels know the weaker ones.
static void stop_path_mtu_discovery(int fd, int family)
{
    const int v4[] = {IP_PMTUDISC_OMIT, IP_PMTUDISC_PROBE, IP_PMTUDISC_DONT};
    const int v6[] = {IPV6_PMTUDISC_OMIT, IPV6_PMTUDISC_PROBE, IPV6_PMTUDISC_DONT};
    for (unsigned i = 0; i < STEER_ARRAY_LEN(v4); i++) {
        int done = family == AF_INET6
                       ? setsockopt(fd, IPPROTO_IPV6, IPV6_MTU_DISCOVER, &v6[i], sizeof v6[i])
                       : setsockopt(fd, IPPROTO_IP, IP_MTU_DISCOVER, &v4[i], sizeof v4[i]);
        if (done == 0)
            return;
    }
}

// The kernel's default holds only some 250 datagrams. True when the size was granted.
static bool enlarge_buffers(int fd)
{
    const int size = UDP_BUFFER_BYTES;
    if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof size) != 0)
        set_int(fd, SOL_SOCKET, SO_RCVBUF, size);
    if (setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof size) != 0)
        set_int(fd, SOL_SOCKET, SO_SNDBUF, size);
    int granted = 0; // as the kernel counts, twice of what was asked
    socklen_t len = sizeof granted;
    return getsockopt(fd, SOL_SOCKET, SO_RCVBUF, &granted, &len) == 0 && granted / 2 >= size;
}

// -1 with errno.
static int close_failed(int fd)
{
    int err = errno;
    if (fd >= 0)
        close(fd);
    errno = err;
    return -1;
}

static int open_udp(const struct listener *l)
{
    int family = l->sa.ss_family, one = 1;
    int fd = socket(family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -1;
    if (family == AF_INET6)
        set_int(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1);
    if (l->wildcard)
        set_int(fd, family == AF_INET6 ? IPPROTO_IPV6 : IPPROTO_IP,
                family == AF_INET6 ? IPV6_RECVPKTINFO : IP_PKTINFO, 1);
    stop_path_mtu_discovery(fd, family);
    if (setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &one, sizeof one) != 0 ||
        bind(fd, (const struct sockaddr *)&l->sa, l->len) != 0)
        return close_failed(fd);
    return fd;
}

static int open_tcp(const struct listener *l)
{
    int fd = socket(l->sa.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return -1;
    if (l->sa.ss_family == AF_INET6)
        set_int(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1);
    set_int(fd, SOL_SOCKET, SO_REUSEADDR, 1); // connections of an earlier run may be in TIME_WAIT
    set_int(fd, SOL_SOCKET, SO_SNDBUF, TCP_SEND_BYTES); // accepted sockets inherit this and NODELAY
    set_int(fd, IPPROTO_TCP, TCP_NODELAY, 1);
    set_int(fd, IPPROTO_TCP, TCP_FASTOPEN, TCP_FASTOPEN_QUEUE);
    if (bind(fd, (const struct sockaddr *)&l->sa, l->len) != 0 || listen(fd, TCP_BACKLOG) != 0)
        return close_failed(fd);
    return fd;
}

static const char *bind_hint(int err)
{
    switch (err) {
    case EADDRINUSE:
        return "; another program has it";
    case EADDRNOTAVAIL:
        return "; no interface has this address";
    case EACCES:
        return "; ports below 1024 need root or CAP_NET_BIND_SERVICE";
    default:
        return "";
    }
}

static enum steer_err bind_failed(const struct sockaddr_storage *sa, const char *protocol,
                                  struct steer_diag *diag)
{
    int err = errno;
    char text[80];
    steer_sockaddr_format(sa, text, sizeof text);
    return steer_diag_set(diag, STEER_EIO, "cannot listen on %s (%s): %s%s", text, protocol,
                          strerror(err), bind_hint(err));
}

// TCP first: it refuses an address that another steerd has, where UDP would share it (SO_REUSEPORT). It also
// picks the port where none was asked; should that be taken for UDP, another one is tried.
static enum steer_err bind_both(struct listener *l, int *udp_fd, struct steer_diag *diag)
{
    const struct sockaddr_storage asked = l->sa;
    unsigned tries = port_of(&asked) == 0 ? PORT_TRIES : 1;
    for (;;) {
        l->sa = asked;
        int tcp = open_tcp(l);
        if (tcp < 0)
            return bind_failed(&asked, "TCP", diag);
        socklen_t len = sizeof l->sa;
        int udp = getsockname(tcp, (struct sockaddr *)&l->sa, &len) == 0 ? open_udp(l) : -1;
        if (udp >= 0) {
            l->tcp_fd = tcp;
            *udp_fd = udp;
            return STEER_OK;
        }
        close_failed(tcp);
        if (errno != EADDRINUSE || --tries == 0)
            return bind_failed(&l->sa, "UDP", diag);
    }
}

// ---- starting ------------------------------------------------------------------------------------

static struct steer_answer_settings settings_within_bounds(struct steer_answer_settings s)
{
    if (s.udp_size == 0)
        s.udp_size = STEER_UDP_SIZE;
    if (s.udp_size < STEER_UDP_MIN)
        s.udp_size = STEER_UDP_MIN;
    if (s.udp_size > UDP_ANSWER_MAX)
        s.udp_size = UDP_ANSWER_MAX;
    return s;
}

// RFC 7828 3.1: in tenths of a second.
static uint16_t keepalive_of(uint32_t idle_ms)
{
    const uint32_t tenths = idle_ms / 100;
    return (uint16_t)(tenths < UINT16_MAX ? tenths : UINT16_MAX);
}

// The ones before, which threads may still use.
static struct steer_cookie_secrets *set_secrets(struct steer_server *s,
                                                const struct steer_cookie_secrets *secrets)
{
    struct steer_cookie_secrets *copy = secrets ? steer_memdup(secrets, sizeof *secrets) : NULL;
    return atomic_exchange_explicit(&s->cookie_secrets, copy, memory_order_acq_rel);
}

void steer_server_set_cookies(struct steer_server *server,
                              const struct steer_cookie_secrets *secrets)
{
    struct steer_cookie_secrets *old = set_secrets(server, secrets);
    steer_publisher_synchronize(server->publisher);
    free(old);
}

// Each UDP worker keeps its part of the records, and TCP, which little comes over, an eighth.
static void start_replay(struct steer_server *s, const struct steer_server_options *o)
{
    uint32_t records = o->replay_records ? o->replay_records : STEER_REPLAY_RECORDS;
    if (records > STEER_REPLAY_RECORDS_MAX)
        records = STEER_REPLAY_RECORDS_MAX;
    if (!o->replay_one_in)
        return;
    const uint32_t stream = records / 8;
    for (size_t i = 0; i < s->worker_count; i++)
        udp_worker_set_replay(
            s->workers[i],
            steer_replay_create((records - stream) / (uint32_t)s->worker_count, o->replay_one_in));
    tcp_set_replay(s->tcp, steer_replay_create(stream, o->replay_one_in));
}

bool steer_server_replay(const struct steer_server *server,
                         bool (*visit)(void *ctx, const struct steer_replay_record *record),
                         void *ctx)
{
    const struct steer_replay_ring *ring = tcp_replay(server->tcp);
    if (!ring)
        return false;
    steer_replay_read(ring, visit, ctx);
    for (size_t i = 0; i < server->worker_count; i++)
        steer_replay_read(udp_worker_replay(server->workers[i]), visit, ctx);
    return true;
}

static enum steer_err add_listener(struct steer_server *s, const struct steer_server_options *o,
                                   size_t index, unsigned workers, bool *small,
                                   struct steer_diag *diag)
{
    struct listener *l = &s->listeners[index];
    *l = (struct listener){.sa = o->listen[index], .len = o->listen_len[index], .tcp_fd = -1};
    l->wildcard = is_wildcard(&l->sa);
    int fd = -1;
    enum steer_err err = bind_both(l, &fd, diag);
    if (err)
        return err;
    s->listener_count++;
    for (unsigned i = 0; i < workers; i++) {
        if (i > 0)
            fd = open_udp(l);
        if (fd < 0)
            return bind_failed(&l->sa, "UDP", diag);
        *small |= !enlarge_buffers(fd);
        uint64_t seed = steer_mix64(o->seed + s->worker_count + 1);
        s->workers[s->worker_count++] = udp_worker_create(s, l, fd, seed);
    }
    return STEER_OK;
}

static void server_free(struct steer_server *s)
{
    for (size_t i = 0; i < s->worker_count; i++)
        udp_worker_destroy(s->workers[i]);
    tcp_destroy(s->tcp);
    for (size_t i = 0; i < s->listener_count; i++)
        close(s->listeners[i].tcp_fd);
    steer_rrl_destroy(s->rrl);
    free(set_secrets(s, NULL));
    free(s->workers);
    free(s->listeners);
    free(s);
}

static enum steer_err start_limit(struct steer_server *s, const struct steer_rrl_settings *settings,
                                  struct steer_diag *diag)
{
    uint64_t secret[3];
    if (!settings->rate)
        return STEER_OK;
    if (getrandom(secret, sizeof secret, 0) != sizeof secret)
        return steer_diag_set(diag, STEER_EIO, "cannot get random numbers: %s", strerror(errno));
    s->rrl = steer_rrl_create(settings, secret, 0);
    return STEER_OK;
}

// The cores that this process may run on; at least one.
static unsigned list_cores(int *cores, unsigned max)
{
    cpu_set_t set;
    unsigned count = 0;
    CPU_ZERO(&set);
    if (sched_getaffinity(0, sizeof set, &set) == 0)
        for (int i = 0; i < CPU_SETSIZE && count < max; i++)
            if (CPU_ISSET((unsigned)i, &set))
                cores[count++] = i;
    if (count == 0)
        cores[count++] = 0;
    return count;
}

// The threads take no signals: those are the daemon's.
static enum steer_err start_threads(struct steer_server *s, bool pin, const int *cores,
                                    unsigned core_count, struct steer_diag *diag)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    enum steer_err err = tcp_start(s->tcp, diag);
    s->tcp_started = err == STEER_OK;
    for (size_t i = 0; !err && i < s->worker_count; i++) {
        int core = pin ? cores[i % core_count] : -1;
        err = udp_worker_start(s->workers[i], (unsigned)i, core, diag);
        s->workers_started += err == STEER_OK;
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return err;
}

enum steer_err steer_server_start(const struct steer_server_options *options,
                                  struct steer_server **server, struct steer_diag *diag)
{
    int cores[CPU_SETSIZE];
    unsigned core_count = list_cores(cores, CPU_SETSIZE);
    unsigned workers = options->workers ? options->workers : core_count;
    bool small = false;
    struct steer_server *s = steer_calloc(1, sizeof *s);
    s->answers = settings_within_bounds(options->answers);
    const uint32_t idle_ms = options->tcp_idle_ms ? options->tcp_idle_ms : STEER_TCP_IDLE_MS;
    s->answers.keepalive_100ms = keepalive_of(idle_ms);
    (void)set_secrets(s, options->cookies);
    s->publisher = options->publisher;
    s->listeners = steer_calloc(options->listen_count, sizeof *s->listeners);
    s->workers = steer_calloc(options->listen_count * workers, sizeof(void *));
    enum steer_err err = start_limit(s, &options->rrl, diag);
    for (size_t i = 0; !err && i < options->listen_count; i++)
        err = add_listener(s, options, i, workers, &small, diag);
    struct tcp_limits limits = {
        .connections = options->tcp_limit ? options->tcp_limit : STEER_TCP_LIMIT,
        .per_client =
            options->tcp_limit_per_client ? options->tcp_limit_per_client : STEER_TCP_PER_CLIENT,
        .idle_ns = idle_ms * STEER_NS_PER_MS,
    };
    if (!err)
        err = tcp_create(s, &limits, steer_mix64(options->seed), &s->tcp, diag);
    if (!err)
        start_replay(s, options);
    if (!err)
        err = start_threads(s, options->pin, cores, core_count, diag);
    if (err) {
        steer_server_stop(s, 0);
        return err;
    }
    if (small)
        steer_log(
            STEER_LOG_WARN, "server",
            "the kernel grants less than %d octets of receive buffer: short bursts may be lost; "
            "raise net.core.rmem_max",
            UDP_BUFFER_BYTES);
    *server = s;
    return STEER_OK;
}

void steer_server_stop(struct steer_server *server, uint32_t drain_ms)
{
    if (!server)
        return;
    server->drain_ms = drain_ms;
    atomic_store_explicit(&server->stopping, true, memory_order_release);
    for (size_t i = 0; i < server->workers_started; i++)
        udp_worker_wake(server->workers[i]);
    if (server->tcp_started)
        tcp_wake(server->tcp);
    for (size_t i = 0; i < server->workers_started; i++)
        udp_worker_join(server->workers[i]);
    if (server->tcp_started)
        tcp_join(server->tcp);
    server_free(server);
}

void steer_server_address(const struct steer_server *server, size_t index,
                          struct sockaddr_storage *sa)
{
    *sa = server->listeners[index].sa;
}
