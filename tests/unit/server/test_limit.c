// SPDX-License-Identifier: GPL-3.0-or-later
// The rate limit and cookies, over real loopback sockets.
#include "server_support.h"

enum { RATE = 10, FLOOD = 60, OPT_BYTES = 11, COOKIE_AT = 4 };

static size_t edns_question(uint8_t *out, uint16_t id, const char *name, uint16_t type)
{
    static const uint8_t opt[OPT_BYTES] = {0, 0, 41, 16, 0, 0, 0, 0x80, 0, 0, 0}; // DO
    size_t len = question(out, id, name, type);
    out[11] = 1;
    memcpy(out + len, opt, sizeof opt);
    return len + sizeof opt;
}

struct flood {
    unsigned whole, truncated;
};

// Asks FLOOD times at once; what is truncated must be minimal.
static struct flood flood(const struct fixture *f, const char *name, uint16_t type, bool edns)
{
    struct flood seen = {0, 0};
    uint8_t message[MESSAGE_BYTES];
    uint64_t before = stats_of(f).udp_queries;
    int fd = dial(f, SOCK_DGRAM);
    size_t len = 0;
    for (uint16_t i = 0; i < FLOOD; i++) {
        len = (edns ? edns_question : question)(message, i, name, type);
        write_all(fd, message, len);
    }
    for (uint64_t end = now_ms() + WAIT_MS;
         stats_of(f).udp_queries < before + FLOOD && now_ms() < end;)
        usleep(1000);
    for (size_t n; (n = receive(fd, message, 200)) > 0;) {
        bool tc = message[2] & 2;
        seen.whole += !tc;
        seen.truncated += tc;
        if (!tc)
            continue;
        assert_int_equal(n, len);
        assert_int_equal(u16_at(message + 4), 1);
        assert_int_equal(u16_at(message + 6), 0);
        assert_int_equal(u16_at(message + 8), 0);
        assert_int_equal(u16_at(message + 10), edns);
        assert_memory_equal(message + n - 4, edns ? "\x80\0\0\0" : (const char *)message + len - 4,
                            4);
    }
    close(fd);
    return seen;
}

static void beyond_the_rate_every_other_answer_is_truncated_and_the_rest_dropped(void **state)
{
    struct fixture *f = *state;
    static const struct {
        const char *name;
        uint16_t type;
        bool edns, error;
    } rows[] = {{"www.example.test.", STEER_TYPE_A, false, false},
                {"www.example.test.", STEER_TYPE_AAAA, true, false},
                {"none.example.test.", STEER_TYPE_A, true, false},
                {"elsewhere.test.", STEER_TYPE_A, true, true}};
    struct steer_server_options options = options_of(f);
    options.rrl = (struct steer_rrl_settings){.rate = RATE, .slip = 2};
    start(f, &options);
    for (unsigned i = 0; i < STEER_ARRAY_LEN(rows); i++) { // each kind on its own account
        struct steer_server_stats before = stats_of(f);
        struct flood seen = flood(f, rows[i].name, rows[i].type, rows[i].edns);
        struct steer_server_stats stats = stats_of(f);
        uint64_t dropped = stats.rrl_dropped - before.rrl_dropped;
        uint64_t slipped = stats.rrl_slipped - before.rrl_slipped;
        // A little more passes when the flood takes a little time.
        assert_in_range(FLOOD - dropped - slipped, RATE, FLOOD / 2);
        assert_in_range(dropped, slipped, slipped + 2); // two workers may both begin a count
        assert_int_equal(seen.whole + seen.truncated, FLOOD - dropped);
        assert_int_equal(seen.truncated, rows[i].error ? 0 : slipped);
    }
    int tcp = dial(f, SOCK_STREAM); // has an address that is true
    for (uint16_t i = 0; i < FLOOD; i++)
        ask_over_tcp(tcp, i);
    close(tcp);
}

static void a_slip_of_one_truncates_all_and_of_none_drops_all(void **state)
{
    struct fixture *f = *state;
    for (uint32_t slip = 0; slip < 2; slip++) {
        struct steer_server_options options = options_of(f);
        options.rrl = (struct steer_rrl_settings){.rate = RATE, .slip = slip};
        start(f, &options);
        struct flood seen = flood(f, "www.example.test.", STEER_TYPE_A, true);
        struct steer_server_stats stats = stats_of(f);
        assert_in_range(seen.whole, RATE, FLOOD / 2);
        assert_int_equal(stats.rrl_slipped, slip ? FLOOD - seen.whole : 0);
        assert_int_equal(stats.rrl_dropped, slip ? 0 : FLOOD - seen.whole);
        assert_int_equal(seen.truncated, stats.rrl_slipped);
        assert_int_equal(stats.rcodes[STEER_RCODE_NOERROR], FLOOD - stats.rrl_dropped);
        stop(f, 0);
    }
}

static void the_allowed_and_a_rate_of_none_are_not_limited(void **state)
{
    struct fixture *f = *state;
    struct steer_prefix loopback_net;
    assert_true(steer_prefix_parse("127.0.0.0/8", &loopback_net, NULL));
    const struct steer_rrl_settings rows[] = {
        {.rate = 0, .slip = 2},
        {.rate = RATE, .slip = 2, .allow = &loopback_net, .allow_count = 1}};
    for (unsigned i = 0; i < STEER_ARRAY_LEN(rows); i++) {
        struct steer_server_options options = options_of(f);
        options.rrl = rows[i];
        start(f, &options);
        assert_int_equal(flood(f, "www.example.test.", STEER_TYPE_A, false).whole, FLOOD);
        assert_int_equal(stats_of(f).rrl_dropped + stats_of(f).rrl_slipped, 0);
        stop(f, 0);
    }
}

// ---- cookies -------------------------------------------------------------------------------------

static const struct steer_cookie_secrets first_secret = {.count = 1, .secret = {"first secret"}},
                                         second_secret = {.count = 1, .secret = {"second secret"}},
                                         both_secrets = {
                                             .count = 2,
                                             .secret = {"second secret", "first secret"}};

// A question with a cookie of len octets (0: none), and room for a large answer.
static size_t cookie_question(uint8_t *out, uint16_t id, const char *name, uint16_t type,
                              const uint8_t *cookie, size_t len)
{
    size_t n = edns_question(out, id, name, type);
    if (!len)
        return n;
    const uint8_t head[] = {0, (uint8_t)(4 + len), 0, STEER_EDNS_COOKIE, 0, (uint8_t)len};
    memcpy(out + n - 2, head, sizeof head);
    memcpy(out + n + COOKIE_AT, cookie, len);
    return n + COOKIE_AT + len;
}

// The cookie of a reply; false where there is none.
static bool cookie_of(const uint8_t *reply, size_t len, uint8_t cookie[STEER_COOKIE_BYTES])
{
    static const uint8_t head[] = {0, STEER_EDNS_COOKIE, 0, STEER_COOKIE_BYTES};
    const uint8_t *found = memmem(reply, len, head, sizeof head);
    if (!found || len - (size_t)(found - reply) < sizeof head + STEER_COOKIE_BYTES)
        return false;
    memcpy(cookie, found + sizeof head, STEER_COOKIE_BYTES);
    return true;
}

struct cookie_flood {
    unsigned whole, truncated, badcookie;
    uint8_t cookie[STEER_COOKIE_BYTES]; // the last one that came
};

// Asks FLOOD times at once, with ids so far apart; a reply with BADCOOKIE must be minimal.
static struct cookie_flood flood_by(const struct fixture *f, uint16_t step, const char *name,
                                    uint16_t type, const uint8_t *cookie, size_t cookie_len)
{
    struct cookie_flood seen = {0};
    uint8_t message[MESSAGE_BYTES];
    const uint64_t before = stats_of(f).udp_queries;
    int fd = dial(f, SOCK_DGRAM);
    size_t len = 0;
    for (uint16_t i = 0; i < FLOOD; i++) {
        len = cookie_question(message, (uint16_t)(i * step), name, type, cookie, cookie_len);
        write_all(fd, message, len);
    }
    for (uint64_t end = now_ms() + WAIT_MS;
         stats_of(f).udp_queries < before + FLOOD && now_ms() < end;)
        usleep(1000);
    for (size_t n; (n = receive(fd, message, 200)) > 0;) {
        if (cookie_len)
            assert_true(cookie_of(message, n, seen.cookie));
        if ((message[3] & 15) == (STEER_RCODE_BADCOOKIE & 15)) {
            seen.badcookie++;
            assert_int_equal(n, len - cookie_len + STEER_COOKIE_BYTES);
            assert_int_equal(message[2] & 6, 0); // neither AA nor TC
            assert_int_equal(u16_at(message + 6), 0);
            assert_int_equal(u16_at(message + 8), 0);
            assert_int_equal(u16_at(message + 10), 1);
            assert_int_equal(message[n - STEER_COOKIE_BYTES - 10], 1); // the rcode's upper octet
        } else if (message[2] & 2) {
            seen.truncated++;
        } else {
            seen.whole++;
        }
    }
    close(fd);
    return seen;
}

static struct cookie_flood flood_with(const struct fixture *f, const char *name, uint16_t type,
                                      const uint8_t *cookie, size_t cookie_len)
{
    return flood_by(f, 1, name, type, cookie, cookie_len);
}

static void start_with(struct fixture *f, uint32_t rate, const struct steer_cookie_secrets *secrets)
{
    struct steer_server_options options = options_of(f);
    options.rrl = (struct steer_rrl_settings){.rate = rate, .slip = 2};
    options.cookies = secrets;
    start(f, &options);
}

// With BADCOOKIE comes the cookie to ask again with, and who has one is not limited. Of every kind.
static void the_limited_are_given_a_cookie_and_are_through(void **state)
{
    struct fixture *f = *state;
    static const struct {
        const char *name;
        uint16_t type;
        enum steer_outcome_kind kind;
    } rows[] = {{"www.example.test.", STEER_TYPE_A, STEER_FACT_POSITIVE},
                {"www.example.test.", STEER_TYPE_AAAA, STEER_FACT_NODATA},
                {"none.example.test.", STEER_TYPE_A, STEER_FACT_NXDOMAIN},
                {"elsewhere.test.", STEER_TYPE_A, STEER_FACT_REFUSED}};
    start_with(f, RATE, &first_secret);
    for (unsigned i = 0; i < STEER_ARRAY_LEN(rows); i++) {
        const struct steer_server_stats before = stats_of(f);
        const struct cookie_flood own =
            flood_with(f, rows[i].name, rows[i].type, (const uint8_t *)"clients!", 8);
        struct steer_server_stats stats = stats_of(f);
        assert_in_range(own.whole, RATE, FLOOD / 2);
        assert_int_equal(own.badcookie, FLOOD - own.whole); // nothing is dropped
        assert_memory_equal(own.cookie, "clients!", 8);
        assert_int_equal(stats.limited[STEER_LIMIT_BADCOOKIE][rows[i].kind], own.badcookie);
        assert_int_equal(stats.rcodes[STEER_RCODE_BADCOOKIE] - before.rcodes[STEER_RCODE_BADCOOKIE],
                         own.badcookie);
        assert_int_equal(stats.cookies[STEER_COOKIE_CLIENT] - before.cookies[STEER_COOKIE_CLIENT],
                         FLOOD);
        const struct cookie_flood good =
            flood_with(f, rows[i].name, rows[i].type, own.cookie, sizeof own.cookie);
        assert_int_equal(good.whole, FLOOD);
        assert_memory_equal(good.cookie, own.cookie, sizeof own.cookie);
        stats = stats_of(f);
        assert_int_equal(stats.cookies[STEER_COOKIE_GOOD] - before.cookies[STEER_COOKIE_GOOD],
                         FLOOD);
        assert_int_equal(stats.rrl_dropped + stats.rrl_slipped, 0);
    }
}

// Whoever forges addresses can put a cookie into each question: what would be dropped is so after all.
static void a_flood_of_cookies_does_not_turn_the_limit_off(void **state)
{
    struct fixture *f = *state;
    struct steer_server_options options = options_of(f);
    options.rrl = (struct steer_rrl_settings){.rate = RATE, .slip = 0};
    options.cookies = &first_secret;
    start(f, &options);
    const struct cookie_flood seen =
        flood_by(f, 16, "www.example.test.", STEER_TYPE_A, (const uint8_t *)"clients!", 8);
    assert_in_range(seen.whole, RATE, FLOOD / 2);
    assert_in_range(seen.badcookie, RATE, FLOOD / 2);
    assert_int_equal(stats_of(f).rrl_dropped, FLOOD - seen.whole - seen.badcookie);
}

static void a_wrong_cookie_helps_nobody(void **state)
{
    struct fixture *f = *state;
    start_with(f, RATE, &first_secret);
    uint8_t wrong[STEER_COOKIE_BYTES] = "clients!\1\0\0\0timehash....";
    const struct cookie_flood seen =
        flood_with(f, "www.example.test.", STEER_TYPE_A, wrong, sizeof wrong);
    assert_in_range(seen.whole, RATE, FLOOD / 2);
    assert_int_equal(seen.badcookie, FLOOD - seen.whole);
    assert_int_equal(stats_of(f).cookies[STEER_COOKIE_WRONG], FLOOD);
}

static void without_secrets_cookies_are_unknown(void **state)
{
    struct fixture *f = *state;
    start_with(f, RATE, NULL);
    uint8_t message[MESSAGE_BYTES], cookie[STEER_COOKIE_BYTES];
    int fd = dial(f, SOCK_DGRAM);
    write_all(fd, message,
              cookie_question(message, 1, "www.example.test.", STEER_TYPE_A,
                              (const uint8_t *)"clients!", 8));
    const size_t len = receive(fd, message, WAIT_MS);
    assert_answer(message, len, 1);
    assert_false(cookie_of(message, len, cookie));
    close(fd);
}

// One question over TCP or UDP with *cookie, which becomes the one that came back; the kind that it was.
static enum steer_cookie_kind show(const struct fixture *f, int type, uint8_t *cookie, size_t len)
{
    uint8_t message[MESSAGE_BYTES];
    const struct steer_server_stats before = stats_of(f);
    int fd = dial(f, type);
    size_t n = cookie_question(message + 2, 1, "www.example.test.", STEER_TYPE_A, cookie, len);
    message[0] = 0;
    message[1] = (uint8_t)n;
    write_all(fd, type == SOCK_STREAM ? message : message + 2, type == SOCK_STREAM ? n + 2 : n);
    n = type == SOCK_STREAM ? read_message(fd, message) : receive(fd, message, WAIT_MS);
    assert_answer(message, n, 1);
    assert_true(cookie_of(message, n, cookie));
    close(fd);
    const struct steer_server_stats after = stats_of(f);
    unsigned kind = STEER_COOKIE_CLIENT;
    while (kind < STEER_COOKIE_KINDS && after.cookies[kind] == before.cookies[kind])
        kind++;
    return (enum steer_cookie_kind)kind;
}

static void secrets_are_changed_without_a_break(void **state)
{
    struct fixture *f = *state;
    static const int types[] = {SOCK_DGRAM, SOCK_STREAM};
    for (unsigned i = 0; i < STEER_ARRAY_LEN(types); i++) {
        uint8_t cookie[STEER_COOKIE_BYTES] = "clients!", old[STEER_COOKIE_BYTES];
        loopback(f, AF_INET, 0);
        start_with(f, RATE, &first_secret);
        assert_int_equal(show(f, types[i], cookie, 8), STEER_COOKIE_CLIENT);
        memcpy(old, cookie, sizeof cookie);
        steer_server_set_cookies(f->server, &both_secrets);
        assert_int_equal(show(f, types[i], cookie, sizeof cookie), STEER_COOKIE_GOOD);
        assert_memory_not_equal(cookie, old, sizeof cookie); // signed by the newer one
        steer_server_set_cookies(f->server, &second_secret);
        assert_int_equal(show(f, types[i], cookie, sizeof cookie), STEER_COOKIE_GOOD);
        assert_int_equal(show(f, types[i], old, sizeof old), STEER_COOKIE_WRONG);
        stop(f, 0);
    }
}

struct asker {
    const struct fixture *f;
    _Atomic bool over;
    _Atomic unsigned good, other;
};

static void *ask_on(void *arg)
{
    struct asker *a = arg;
    uint8_t cookie[STEER_COOKIE_BYTES] = "clients!", message[MESSAGE_BYTES];
    size_t len = 8;
    int fd = dial(a->f, SOCK_DGRAM);
    while (!a->over) {
        write_all(fd, message,
                  cookie_question(message, 1, "www.example.test.", STEER_TYPE_A, cookie, len));
        const size_t n = receive(fd, message, WAIT_MS);
        if (n && cookie_of(message, n, cookie) && (message[3] & 15) == 0)
            a->good++;
        else
            a->other++;
        len = sizeof cookie;
    }
    close(fd);
    return NULL;
}

// What the last file signed, the next one still knows: nobody who follows is ever limited.
static void secrets_may_change_at_any_time(void **state)
{
    enum { CHANGES = 200 };
    struct fixture *f = *state;
    const struct steer_cookie_secrets back = {.count = 2,
                                              .secret = {"first secret", "second secret"}};
    start_with(f, RATE, &first_secret);
    struct asker asker = {.f = f};
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, ask_on, &asker), 0);
    for (unsigned i = 0; i < CHANGES; i++) {
        const unsigned before = asker.good;
        while (asker.good == before && !asker.other)
            sched_yield();
        steer_server_set_cookies(f->server, i % 2 ? &back : &both_secrets);
    }
    asker.over = true;
    pthread_join(thread, NULL);
    assert_int_equal(asker.other, 0);
    assert_true(asker.good >= CHANGES);
}

// ---- large replies -------------------------------------------------------------------------------

static void many_large_replies_to_one_network_are_truncated(void **state)
{
    struct fixture *f = *state;
    enum { LARGE_RATE = 100, PASS = LARGE_RATE / 10 };
    start_with(f, LARGE_RATE, &first_secret);
    const struct cookie_flood small = flood_with(f, "www.example.test.", STEER_TYPE_A, NULL, 0);
    assert_int_equal(small.whole, FLOOD); // far below the rate
    const struct cookie_flood large =
        flood_with(f, "middle.example.test.", STEER_TYPE_TXT, NULL, 0);
    assert_in_range(large.whole, PASS, FLOOD / 2);
    assert_int_equal(large.truncated, FLOOD - large.whole); // never dropped
    struct steer_server_stats stats = stats_of(f);
    assert_int_equal(stats.limited[STEER_LIMIT_TRUNCATED][STEER_FACT_POSITIVE], large.truncated);
    assert_int_equal(stats.rrl_dropped + stats.rrl_slipped, 0);
    // Who sends a cookie is told to come back with ours, and then gets all.
    const struct cookie_flood own =
        flood_with(f, "middle.example.test.", STEER_TYPE_TXT, (const uint8_t *)"clients!", 8);
    assert_in_range(own.badcookie, FLOOD / 2, FLOOD);
    assert_int_equal(own.truncated, 0);
    const struct cookie_flood good =
        flood_with(f, "middle.example.test.", STEER_TYPE_TXT, own.cookie, sizeof own.cookie);
    assert_int_equal(good.whole, FLOOD);
    int tcp = dial(f, SOCK_STREAM);
    uint8_t message[MESSAGE_BYTES];
    for (uint16_t i = 0; i < FLOOD; i++) {
        write_all(tcp, message, framed(message, i, "middle.example.test.", STEER_TYPE_TXT));
        assert_true(read_message(tcp, message) > MIDDLE_RRS * BIG_OCTETS);
        assert_int_equal(message[2] & 2, 0);
    }
    close(tcp);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        CASE(beyond_the_rate_every_other_answer_is_truncated_and_the_rest_dropped),
        CASE(a_slip_of_one_truncates_all_and_of_none_drops_all),
        CASE(the_allowed_and_a_rate_of_none_are_not_limited),
        CASE(the_limited_are_given_a_cookie_and_are_through),
        CASE(a_flood_of_cookies_does_not_turn_the_limit_off),
        CASE(a_wrong_cookie_helps_nobody),
        CASE(without_secrets_cookies_are_unknown),
        CASE(secrets_are_changed_without_a_break),
        CASE(secrets_may_change_at_any_time),
        CASE(many_large_replies_to_one_network_are_truncated),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
