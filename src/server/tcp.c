// SPDX-License-Identifier: GPL-3.0-or-later
// DNS over TCP (RFC 7766): one thread, level-triggered epoll.
//
// A connection owns memory only for what is incomplete: the beginning of a message, and octets that its
// peer does not take yet. While there are such octets nothing more is read or answered, so one peer holds
// at most one message in and one burst out. Answers go out in the order of the questions.
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "account.h"
#include "steerd/base/clock.h"
#include "steerd/base/mem.h"
#include "steerd/wire/frame.h"

enum {
    FLUSH_BYTES = 16 << 10, // of answers before they are sent
    OUTPUT_BYTES = FLUSH_BYTES + STEER_FRAME_MAX,
    EVENTS = 64,
    ACCEPTS = 64, // at once, so that the open connections have their turn
    EVICTION_LOOKS = 64,
    BUCKETS = 1024, // of clients; a power of two
    PAUSE_MS = 100, // of accepting, when the process is out of descriptors
};

struct connection {
    int fd;
    bool ended;         // nothing more is read: end of stream, or nonsense came
    bool broken;        // nothing more can be sent either
    bool waits_to_send; // what epoll was told
    struct steer_addr peer;
    struct steer_addr client; // what the limit per client goes by: /32 or /64
    uint64_t since_ns;        // last complete message, or accepted
    uint8_t *in, *out;        // what is incomplete; NULL: nothing
    size_t in_len, out_len, out_at;
    struct connection *older, *newer; // in order of since_ns
    struct connection *next, **link;  // others of the same bucket
};

struct tcp {
    struct counters counters;
    _Alignas(CACHE_LINE) struct tcp_counters connections;
    struct steer_server *server;
    struct tcp_limits limits;
    int epoll_fd, wake_fd;
    pthread_t thread;
    struct steer_rng rng;
    struct steer_replay_ring *replay; // NULL: nothing is kept
    uint64_t hash_seed;
    uint64_t now_ns;
    uint32_t unix_s;    // of now_ns, rounded up
    uint64_t resume_ns; // when accepting goes on; 0: it is on
    bool draining;
    uint64_t drained_ns; // when draining ends at the latest
    unsigned open;
    struct connection *oldest, *newest;
    struct connection *buckets[BUCKETS];
    size_t out_len;
    uint8_t input[STEER_FRAME_MAX];
    uint8_t output[OUTPUT_BYTES];
};

// ---- the book of connections ---------------------------------------------------------------------

static bool is_idle(const struct connection *c)
{
    return !c->in && !c->out;
}

static void list_remove(struct tcp *t, struct connection *c)
{
    *(c->older ? &c->older->newer : &t->oldest) = c->newer;
    *(c->newer ? &c->newer->older : &t->newest) = c->older;
}

static void list_append(struct tcp *t, struct connection *c)
{
    c->since_ns = t->now_ns;
    c->older = t->newest;
    c->newer = NULL;
    *(t->newest ? &t->newest->newer : &t->oldest) = c;
    t->newest = c;
}

static struct connection **bucket_of(struct tcp *t, const struct steer_addr *client)
{
    uint64_t hash = steer_hash_bytes(client->octets, sizeof client->octets, t->hash_seed);
    return &t->buckets[hash & (BUCKETS - 1)];
}

static void close_connection(struct tcp *t, struct connection *c)
{
    list_remove(t, c);
    *c->link = c->next;
    if (c->next)
        c->next->link = c->link;
    t->open--;
    atomic_store_explicit(&t->connections.open, t->open, memory_order_relaxed);
    close(c->fd); // takes it out of the epoll set too
    free(c->in);
    free(c->out);
    free(c);
}

static void watch(struct tcp *t, struct connection *c, bool to_send)
{
    if (c->waits_to_send == to_send)
        return;
    struct epoll_event e = {.events = to_send ? EPOLLOUT : EPOLLIN, .data.ptr = c};
    if (epoll_ctl(t->epoll_fd, EPOLL_CTL_MOD, c->fd, &e) != 0)
        c->broken = true;
    c->waits_to_send = to_send;
}

// ---- one conversation ----------------------------------------------------------------------------

// As much as the peer takes; the number of octets, or with `broken` set 0.
static size_t send_some(struct connection *c, const uint8_t *data, size_t len)
{
    size_t done = 0;
    while (done < len) {
        ssize_t n = send(c->fd, data + done, len - done, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n > 0) {
            done += (size_t)n;
        } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
            break;
        } else if (errno != EINTR) {
            c->broken = true;
            return 0;
        }
    }
    return done;
}

static void send_kept(struct connection *c)
{
    c->out_at += send_some(c, c->out + c->out_at, c->out_len - c->out_at);
    if (c->out_at == c->out_len) {
        free(c->out);
        c->out = NULL;
    }
}

static void send_new(struct tcp *t, struct connection *c)
{
    size_t done = send_some(c, t->output, t->out_len);
    if (!c->broken && done < t->out_len) {
        c->out_at = 0;
        c->out_len = t->out_len - done;
        c->out = steer_memdup(t->output + done, c->out_len);
    }
    t->out_len = 0;
}

static void answer_message(struct tcp *t, const struct connection *c, const uint8_t *message,
                           size_t len)
{
    const struct steer_answer_cookies cookies = {server_cookie_secrets(t->server), t->unix_s};
    struct steer_ask ask = {message, len, c->peer, true, t->unix_s, steer_rng_next(&t->rng),
                            &cookies};
    struct steer_facts facts;
    uint8_t *out = t->output + t->out_len;
    const struct steer_world *world = steer_reader_world(t->server->publisher);
    struct steer_prepared p;
    steer_answer_prepare(&ask, &p);
    steer_answer_locate(world, &ask, &p, 1);
    size_t n = steer_answer_render(world, &t->server->answers, &ask, &p,
                                   out + STEER_FRAME_LENGTH_BYTES, STEER_MESSAGE_MAX, &facts);
    account(&t->counters, world, &facts, STEER_LIMIT_NONE, t->unix_s);
    if (STEER_UNLIKELY(t->replay))
        sample_query(t->replay, &ask, &p, &facts, out + STEER_FRAME_LENGTH_BYTES, n, t->unix_s);
    if (n == 0)
        return;
    steer_frame_write(out, n);
    t->out_len += STEER_FRAME_LENGTH_BYTES + n;
}

// Answers the complete messages at the front of data until the peer stops taking answers; returns how many
// octets are dealt with. A message shorter than a header ends the conversation.
static size_t answer_messages(struct tcp *t, struct connection *c, const uint8_t *data, size_t len)
{
    size_t at = 0;
    while (!c->out && !c->broken) {
        size_t size;
        const enum steer_frame frame = steer_frame_read(data + at, len - at, &size);
        if (frame == STEER_FRAME_NONSENSE) {
            c->ended = true;
            at = len;
        }
        if (frame != STEER_FRAME_WHOLE)
            break;
        answer_message(t, c, data + at + STEER_FRAME_LENGTH_BYTES, size);
        at += STEER_FRAME_LENGTH_BYTES + size;
        list_remove(t, c);
        list_append(t, c);
        if (t->out_len >= FLUSH_BYTES)
            send_new(t, c);
    }
    if (t->out_len && !c->broken)
        send_new(t, c);
    t->out_len = 0;
    return at;
}

static size_t receive(struct connection *c, uint8_t *to, size_t room)
{
    if (c->ended || room == 0)
        return 0;
    ssize_t n = recv(c->fd, to, room, MSG_DONTWAIT);
    if (n > 0)
        return (size_t)n;
    if (n == 0)
        c->ended = true;
    else if (errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR)
        c->broken = true;
    return 0;
}

// One turn: send what is kept, read once, answer, keep the rest. Closes the connection where it is over,
// and while draining as soon as it is idle.
static void converse(struct tcp *t, struct connection *c)
{
    if (c->out)
        send_kept(c);
    if (!c->out && !c->broken) {
        size_t len = c->in_len;
        if (c->in)
            memcpy(t->input, c->in, len);
        free(c->in);
        c->in = NULL;
        len += receive(c, t->input + len, sizeof t->input - len);
        size_t done = answer_messages(t, c, t->input, len);
        c->in_len = len - done;
        if (c->in_len)
            c->in = steer_memdup(t->input + done, c->in_len);
    }
    if (!c->broken)
        watch(t, c, c->out != NULL);
    // After the end of the stream half a message will never be whole.
    if (c->broken || (c->ended && !c->out) || (t->draining && is_idle(c)))
        close_connection(t, c);
    steer_reader_quiescent();
}

// ---- accepting -----------------------------------------------------------------------------------

// Closes the connection that has been idle longest, to make room for a new one; false when none is idle.
static bool evict_any(struct tcp *t)
{
    struct connection *c = t->oldest;
    for (unsigned i = 0; c && i < EVICTION_LOOKS; i++, c = c->newer) {
        if (is_idle(c)) {
            close_connection(t, c);
            return true;
        }
    }
    return false;
}

static bool make_room_for_client(struct tcp *t, const struct steer_addr *client)
{
    unsigned count = 0;
    struct connection *idlest = NULL;
    for (struct connection *c = *bucket_of(t, client); c; c = c->next) {
        if (!steer_addr_equal(&c->client, client))
            continue;
        count++;
        if (is_idle(c) && (!idlest || c->since_ns <= idlest->since_ns))
            idlest = c;
    }
    if (count < t->limits.per_client)
        return true;
    if (!idlest)
        return false;
    close_connection(t, idlest);
    return true;
}

static bool make_room(struct tcp *t, const struct steer_addr *client)
{
    return make_room_for_client(t, client) && (t->open < t->limits.connections || evict_any(t));
}

static void link_connection(struct tcp *t, struct connection *c)
{
    c->link = bucket_of(t, &c->client);
    c->next = *c->link;
    if (c->next)
        c->next->link = &c->next;
    *c->link = c;
    list_append(t, c);
    t->open++;
    atomic_store_explicit(&t->connections.open, t->open, memory_order_relaxed);
}

static void admit(struct tcp *t, int fd, const struct sockaddr_storage *sa)
{
    struct steer_addr peer, client;
    steer_addr_from_sockaddr(sa, &peer, NULL);
    client = peer;
    steer_addr_mask(&client, client.family == STEER_V4 ? 32 : 64);
    struct connection *c = steer_calloc(1, sizeof *c);
    struct epoll_event e = {.events = EPOLLIN, .data.ptr = c};
    if (!make_room(t, &client) || epoll_ctl(t->epoll_fd, EPOLL_CTL_ADD, fd, &e) != 0) {
        count_add(&t->connections.refused, 1);
        close(fd);
        free(c);
        return;
    }
    c->fd = fd;
    c->peer = peer;
    c->client = client;
    link_connection(t, c);
    count_add(&t->connections.accepted, 1);
}

static void listen_for_events(struct tcp *t, uint32_t events)
{
    for (size_t i = 0; i < t->server->listener_count; i++) {
        struct listener *l = &t->server->listeners[i];
        struct epoll_event e = {.events = events, .data.ptr = l};
        (void)!epoll_ctl(t->epoll_fd, EPOLL_CTL_MOD, l->tcp_fd, &e);
    }
}

// Without descriptors a waiting connection would wake the thread for ever; so it looks away for a moment.
static void pause_accepting(struct tcp *t)
{
    listen_for_events(t, 0);
    t->resume_ns = t->now_ns + PAUSE_MS * STEER_NS_PER_MS;
}

static void accept_some(struct tcp *t, const struct listener *l)
{
    for (unsigned i = 0; i < ACCEPTS; i++) {
        struct sockaddr_storage peer = {0};
        socklen_t len = sizeof peer;
        int fd = accept4(l->tcp_fd, (struct sockaddr *)&peer, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd >= 0) {
            admit(t, fd, &peer);
        } else if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
            if (!evict_any(t)) {
                pause_accepting(t);
                return;
            }
        } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
            return;
        } // other errors are those of the connection that was to be (accept(2))
    }
}

// ---- the thread ----------------------------------------------------------------------------------

static int wait_ms(const struct tcp *t)
{
    uint64_t until = UINT64_MAX;
    if (t->oldest)
        until = t->oldest->since_ns + t->limits.idle_ns;
    if (t->resume_ns && t->resume_ns < until)
        until = t->resume_ns;
    if (t->draining && t->drained_ns < until)
        until = t->drained_ns;
    if (until == UINT64_MAX)
        return -1;
    uint64_t now = steer_clock_mono_ns();
    return until <= now ? 0 : (int)((until - now) / STEER_NS_PER_MS + 1);
}

static void expire(struct tcp *t)
{
    while (t->oldest && t->now_ns - t->oldest->since_ns >= t->limits.idle_ns)
        close_connection(t, t->oldest);
    if (t->resume_ns && t->now_ns >= t->resume_ns) {
        t->resume_ns = 0;
        listen_for_events(t, EPOLLIN);
    }
}

// What arrived before the stop is still answered: connections that wait to be accepted are, and everyone has
// a turn. Those that are idle then are closed.
static void begin_drain(struct tcp *t)
{
    t->draining = true;
    t->drained_ns = t->now_ns + t->server->drain_ms * STEER_NS_PER_MS;
    t->resume_ns = 0;
    for (size_t i = 0; i < t->server->listener_count; i++) {
        accept_some(t, &t->server->listeners[i]);
        (void)!epoll_ctl(t->epoll_fd, EPOLL_CTL_DEL, t->server->listeners[i].tcp_fd, NULL);
    }
    t->resume_ns = 0;
    for (struct connection *c = t->oldest, *last = t->newest, *next; c; c = next) {
        next = c == last ? NULL : c->newer;
        converse(t, c);
    }
}

// The listener that an event is of; the event's pointer may be stale and is only compared.
static const struct listener *listener_of(const struct tcp *t, const void *ptr)
{
    for (size_t i = 0; i < t->server->listener_count; i++)
        if (ptr == &t->server->listeners[i])
            return &t->server->listeners[i];
    return NULL;
}

// Connections first, each closing nobody but itself, so that no event is left that points at a closed one
// when accepting makes room. The event of the wake-up has no pointer.
static void handle(struct tcp *t, const struct epoll_event *events, int count)
{
    for (int i = 0; i < count; i++)
        if (events[i].data.ptr && !listener_of(t, events[i].data.ptr))
            converse(t, events[i].data.ptr);
    for (int i = 0; i < count; i++) {
        const struct listener *l = listener_of(t, events[i].data.ptr);
        if (l && !t->draining)
            accept_some(t, l);
    }
}

static void *run(void *arg)
{
    struct tcp *t = arg;
    struct epoll_event events[EVENTS];
    pthread_setname_np(pthread_self(), "tcp");
    steer_reader_register();
    for (;;) {
        steer_reader_offline();
        int n = epoll_wait(t->epoll_fd, events, EVENTS, wait_ms(t));
        steer_reader_online();
        t->now_ns = steer_clock_mono_ns();
        t->unix_s = unix_s_rounded_up();
        handle(t, events, n);
        expire(t);
        if (!t->draining && is_stopping(t->server)) {
            uint64_t rung;
            (void)!read(t->wake_fd, &rung, sizeof rung);
            begin_drain(t);
        }
        if (t->draining && (!t->open || t->now_ns >= t->drained_ns))
            break;
    }
    while (t->oldest)
        close_connection(t, t->oldest);
    steer_reader_unregister();
    return NULL;
}

static bool add_source(struct tcp *t, int fd, void *ptr)
{
    struct epoll_event e = {.events = EPOLLIN, .data.ptr = ptr};
    return epoll_ctl(t->epoll_fd, EPOLL_CTL_ADD, fd, &e) == 0;
}

enum steer_err tcp_create(struct steer_server *server, const struct tcp_limits *limits,
                          uint64_t seed, struct tcp **tcp, struct steer_diag *diag)
{
    struct tcp *t = aligned_zeroed(sizeof *t);
    t->server = server;
    t->limits = *limits;
    steer_rng_init(&t->rng, seed);
    t->hash_seed = steer_rng_next(&t->rng);
    t->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    t->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    bool good = t->epoll_fd >= 0 && t->wake_fd >= 0 && add_source(t, t->wake_fd, NULL);
    for (size_t i = 0; good && i < server->listener_count; i++)
        good = add_source(t, server->listeners[i].tcp_fd, &server->listeners[i]);
    if (!good) {
        int err = errno;
        tcp_destroy(t);
        return steer_diag_set(diag, STEER_EIO, "cannot set TCP up: %s", strerror(err));
    }
    *tcp = t;
    return STEER_OK;
}

void tcp_destroy(struct tcp *t)
{
    if (!t)
        return;
    if (t->epoll_fd >= 0)
        close(t->epoll_fd);
    if (t->wake_fd >= 0)
        close(t->wake_fd);
    steer_replay_destroy(t->replay);
    free(t);
}

void tcp_set_replay(struct tcp *t, struct steer_replay_ring *ring)
{
    t->replay = ring;
}

const struct steer_replay_ring *tcp_replay(const struct tcp *t)
{
    return t->replay;
}

enum steer_err tcp_start(struct tcp *t, struct steer_diag *diag)
{
    int err = pthread_create(&t->thread, NULL, run, t);
    if (err)
        return steer_diag_set(diag, STEER_EIO, "cannot start the TCP thread: %s", strerror(err));
    return STEER_OK;
}

void tcp_wake(struct tcp *t)
{
    uint64_t one = 1;
    (void)!write(t->wake_fd, &one, sizeof one);
}

void tcp_join(struct tcp *t)
{
    pthread_join(t->thread, NULL);
}

const struct counters *tcp_answer_counters(const struct tcp *t)
{
    return &t->counters;
}

const struct tcp_counters *tcp_connection_counters(const struct tcp *t)
{
    return &t->connections;
}
