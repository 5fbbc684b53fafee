// SPDX-License-Identifier: GPL-3.0-or-later
// The server over real loopback sockets, with a small world made by hand.
#include "server_support.h"

// ---- UDP -----------------------------------------------------------------------------------------

static void a_question_is_answered_over_both_protocols_on_one_port(void **state)
{
    struct fixture *f = *state;
    static const int families[] = {AF_INET, AF_INET6};
    for (unsigned i = 0; i < 2; i++) {
        loopback(f, families[i], 0);
        struct steer_server_options options = options_of(f);
        struct steer_diag diag;
        if (steer_server_start(&options, &f->server, &diag) != STEER_OK) {
            assert_int_equal(families[i], AF_INET6); // a machine without IPv6
            continue;
        }
        steer_server_address(f->server, 0, &f->sa);
        int udp = dial(f, SOCK_DGRAM), tcp = dial(f, SOCK_STREAM);
        ask_over_udp(udp, 1);
        ask_over_tcp(tcp, 2);
        close(udp);
        close(tcp);
        struct steer_server_stats stats = stats_of(f);
        assert_int_equal(stats.udp_queries, 1);
        assert_int_equal(stats.tcp_queries, 1);
        assert_int_equal(stats.kinds[STEER_FACT_POSITIVE], 2);
        assert_int_equal(stats.rcodes[STEER_RCODE_NOERROR], 2);
        assert_int_equal(stats.tcp_accepted, 1);
        assert_int_equal(stats.workers, 2);
        stop(f, 0);
    }
}

static void several_addresses_are_served_by_one_server(void **state)
{
    struct fixture *f = *state;
    struct sockaddr_storage listen[2];
    socklen_t len[2];
    assert_true(steer_sockaddr_parse("127.0.0.1:0", &listen[0], &len[0]));
    assert_true(steer_sockaddr_parse("127.0.0.2:0", &listen[1], &len[1]));
    struct steer_server_options options = options_of(f);
    options.listen = listen;
    options.listen_len = len;
    options.listen_count = 2;
    options.pin = true;
    start(f, &options);
    for (size_t i = 0; i < 2; i++) {
        steer_server_address(f->server, i, &f->sa);
        int udp = dial(f, SOCK_DGRAM), tcp = dial(f, SOCK_STREAM);
        ask_over_udp(udp, 3);
        ask_over_tcp(tcp, 4);
        close(udp);
        close(tcp);
    }
    assert_int_equal(stats_of(f).workers, 4);
}

// The client's sockets are connected, so that they take answers only from the address that they asked.
static void a_wildcard_bind_answers_from_the_address_asked(void **state)
{
    struct fixture *f = *state;
    static const struct {
        const char *listen, *ask;
    } rows[] = {{"0.0.0.0:0", "127.0.0.7:0"}, {"0.0.0.0:0", "127.0.0.1:0"}, {"[::]:0", "[::1]:0"}};
    for (unsigned i = 0; i < STEER_ARRAY_LEN(rows); i++) {
        struct steer_diag diag;
        assert_true(steer_sockaddr_parse(rows[i].listen, &f->sa, &f->sa_len));
        struct steer_server_options options = options_of(f);
        if (steer_server_start(&options, &f->server, &diag) != STEER_OK) {
            assert_string_equal(rows[i].listen, "[::]:0");
            continue;
        }
        struct sockaddr_storage bound;
        struct steer_addr addr;
        uint16_t port;
        steer_server_address(f->server, 0, &bound);
        steer_addr_from_sockaddr(&bound, &addr, &port);
        assert_true(steer_sockaddr_parse(rows[i].ask, &f->sa, &f->sa_len));
        steer_addr_from_sockaddr(&f->sa, &addr, NULL);
        steer_addr_to_sockaddr(&addr, port, &f->sa, &f->sa_len);
        int fd = dial(f, SOCK_DGRAM);
        for (uint16_t id = 0; id < 40; id++)
            ask_over_udp(fd, id);
        close(fd);
        stop(f, 0);
    }
}

static void a_burst_of_a_thousand_is_answered_whole(void **state)
{
    enum { SOCKETS = 10, EACH = 100 };
    struct fixture *f = *state;
    struct steer_server_options options = options_of(f);
    start(f, &options);
    int fds[SOCKETS];
    uint8_t message[MESSAGE_BYTES];
    for (unsigned i = 0; i < SOCKETS; i++)
        fds[i] = dial(f, SOCK_DGRAM);
    for (uint16_t id = 0; id < SOCKETS * EACH; id++)
        write_all(fds[id % SOCKETS], message,
                  question(message, id, "www.example.test.", STEER_TYPE_A));
    bool seen[SOCKETS * EACH] = {0};
    for (unsigned k = 0; k < SOCKETS * EACH; k++) {
        size_t len = receive(fds[k % SOCKETS], message, WAIT_MS);
        assert_true(len > 12);
        uint16_t id = u16_at(message);
        assert_true(id < SOCKETS * EACH && !seen[id]);
        seen[id] = true;
        assert_answer(message, len, id);
    }
    for (unsigned i = 0; i < SOCKETS; i++)
        close(fds[i]);
    assert_int_equal(stats_of(f).udp_queries, SOCKETS * EACH);
    assert_int_equal(stats_of(f).unsent, 0);
}

static void garbage_of_every_length_does_no_harm(void **state)
{
    struct fixture *f = *state;
    struct steer_server_options options = options_of(f);
    start(f, &options);
    int fd = dial(f, SOCK_DGRAM);
    struct steer_rng rng;
    steer_rng_init(&rng, 7);
    uint8_t garbage[600], answer[MESSAGE_BYTES];
    for (size_t len = 0; len <= sizeof garbage; len++) {
        for (size_t i = 0; i < len; i++)
            garbage[i] = (uint8_t)steer_rng_next(&rng);
        write_all(fd, garbage, len);
        while (receive(fd, answer, 0))
            ;
    }
    while (stats_of(f).udp_queries < sizeof garbage + 1)
        usleep(1000);
    close(fd);
    fd = dial(f, SOCK_DGRAM); // late answers to garbage do not reach this one
    ask_over_udp(fd, 5);
    close(fd);
}

static void a_datagram_longer_than_any_query_is_dropped(void **state)
{
    struct fixture *f = *state;
    struct steer_server_options options = options_of(f);
    options.workers = 1;
    start(f, &options);
    int fd = dial(f, SOCK_DGRAM);
    static uint8_t message[65507];
    question(message, 9, "www.example.test.", STEER_TYPE_A);
    write_all(fd, message, sizeof message);
    ask_over_udp(fd, 6); // the first answer on this socket is of the second question
    close(fd);
    assert_int_equal(stats_of(f).dropped, 1);
}

static void what_does_not_fit_udp_is_truncated_and_whole_over_tcp(void **state)
{
    struct fixture *f = *state;
    struct steer_server_options options = options_of(f);
    start(f, &options);
    int udp = dial(f, SOCK_DGRAM), tcp = dial(f, SOCK_STREAM);
    uint8_t message[MESSAGE_BYTES];
    write_all(udp, message, question(message, 1, "big.example.test.", STEER_TYPE_TXT));
    size_t len = receive(udp, message, WAIT_MS);
    assert_true(len > 12 && len <= 512);
    assert_int_equal(message[2] & 2, 2);
    write_all(tcp, message, framed(message, 2, "big.example.test.", STEER_TYPE_TXT));
    len = read_message(tcp, message);
    assert_true(len > BIG_RRS * BIG_OCTETS);
    assert_int_equal(u16_at(message + 6), BIG_RRS);
    close(udp);
    close(tcp);
    assert_int_equal(stats_of(f).truncated, 1);
}

// ---- TCP -----------------------------------------------------------------------------------------

static void pipelined_questions_are_answered_in_order(void **state)
{
    enum { COUNT = 100 };
    struct fixture *f = *state;
    struct steer_server_options options = options_of(f);
    start(f, &options);
    int fd = dial(f, SOCK_STREAM);
    uint8_t burst[COUNT * 64], message[MESSAGE_BYTES];
    size_t len = 0;
    for (uint16_t id = 0; id < COUNT; id++)
        len += framed(burst + len, id, "www.example.test.", STEER_TYPE_A);
    write_all(fd, burst, len);
    for (uint16_t id = 0; id < COUNT; id++) {
        size_t n = read_message(fd, message);
        assert_answer(message, n, id);
    }
    close(fd);
}

static void a_message_may_come_octet_by_octet(void **state)
{
    struct fixture *f = *state;
    struct steer_server_options options = options_of(f);
    start(f, &options);
    int fd = dial(f, SOCK_STREAM), one = 1;
    assert_int_equal(setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one), 0);
    uint8_t message[MESSAGE_BYTES];
    for (uint16_t id = 0; id < 3; id++) {
        size_t len = framed(message, id, "www.example.test.", STEER_TYPE_A);
        for (size_t i = 0; i < len; i++) {
            write_all(fd, message + i, 1);
            sched_yield();
        }
        len = read_message(fd, message);
        assert_answer(message, len, id);
    }
    close(fd);
}

static void half_a_message_is_cut_by_the_idle_timer(void **state)
{
    struct fixture *f = *state;
    struct steer_server_options options = options_of(f);
    options.tcp_idle_ms = 150;
    start(f, &options);
    int slow = dial(f, SOCK_STREAM), silent = dial(f, SOCK_STREAM);
    uint8_t message[MESSAGE_BYTES];
    size_t len = framed(message, 1, "www.example.test.", STEER_TYPE_A);
    uint64_t begin = now_ms();
    // Octets that make no message do not keep a connection open.
    for (size_t i = 0; i < len - 1 && !is_closed(slow, 20); i++)
        (void)!send(slow, message + i, 1, MSG_NOSIGNAL);
    assert_true(is_closed(slow, WAIT_MS));
    assert_true(is_closed(silent, WAIT_MS));
    assert_true(now_ms() - begin >= 140);
    close(slow);
    close(silent);
    assert_int_equal(stats_of(f).tcp_open, 0);
}

static void a_length_shorter_than_a_header_ends_the_conversation(void **state)
{
    struct fixture *f = *state;
    struct steer_server_options options = options_of(f);
    start(f, &options);
    for (uint8_t length = 0; length < 12; length++) {
        int fd = dial(f, SOCK_STREAM);
        uint8_t message[MESSAGE_BYTES];
        size_t len = framed(message, length, "www.example.test.", STEER_TYPE_A);
        message[len++] = 0;
        message[len++] = length;
        write_all(fd, message, len);
        len = read_message(fd, message);
        assert_answer(message, len, length); // what was whole before it is answered
        assert_true(is_closed(fd, WAIT_MS));
        close(fd);
    }
}

static void a_half_closed_connection_still_gets_its_answers(void **state)
{
    enum { COUNT = 20 };
    struct fixture *f = *state;
    struct steer_server_options options = options_of(f);
    start(f, &options);
    int fd = dial(f, SOCK_STREAM);
    uint8_t message[MESSAGE_BYTES];
    size_t len = 0;
    for (uint16_t id = 0; id < COUNT; id++)
        len += framed(message + len, id, "big.example.test.", STEER_TYPE_TXT);
    write_all(fd, message, len);
    shutdown(fd, SHUT_WR);
    for (uint16_t id = 0; id < COUNT; id++) {
        assert_true(read_message(fd, message) > BIG_RRS * BIG_OCTETS);
        assert_int_equal(u16_at(message), id);
    }
    assert_true(is_closed(fd, WAIT_MS));
    close(fd);
}

static void beyond_a_limit_the_longest_idle_makes_room_else_the_new_is_refused(void **state)
{
    enum { LIMIT = 4, MORE = 3 };
    struct fixture *f = *state;
    static const struct {
        unsigned all, per_client;
    } rows[] = {{LIMIT, 100}, {100, LIMIT}};
    for (unsigned r = 0; r < STEER_ARRAY_LEN(rows); r++) {
        loopback(f, AF_INET, 0);
        struct steer_server_options options = options_of(f);
        options.tcp_limit = rows[r].all;
        options.tcp_limit_per_client = rows[r].per_client;
        start(f, &options);
        int fds[LIMIT + MORE];
        for (unsigned i = 0; i < LIMIT + MORE; i++) {
            fds[i] = dial(f, SOCK_STREAM);
            ask_over_tcp(fds[i], (uint16_t)i);
        }
        for (unsigned i = 0; i < LIMIT + MORE; i++) {
            if (i < MORE)
                assert_true(is_closed(fds[i], WAIT_MS));
            else // half a message: busy from now on
                write_all(fds[i], "\0\50ab", 4);
        }
        assert_int_equal(stats_of(f).tcp_open, LIMIT);
        assert_int_equal(stats_of(f).tcp_refused, 0);
        for (unsigned i = 0; i < LIMIT; i++) {
            int fd = dial(f, SOCK_STREAM);
            assert_true(is_closed(fd, WAIT_MS));
            close(fd);
        }
        assert_int_equal(stats_of(f).tcp_refused, LIMIT);
        for (unsigned i = 0; i < LIMIT + MORE; i++)
            close(fds[i]);
        stop(f, 0);
    }
}

static void a_peer_that_never_reads_holds_up_nobody_and_is_cut(void **state)
{
    struct fixture *f = *state;
    struct steer_server_options options = options_of(f);
    options.tcp_idle_ms = 600;
    start(f, &options);
    int greedy = dial(f, SOCK_STREAM), modest = dial(f, SOCK_STREAM);
    uint8_t message[MESSAGE_BYTES];
    size_t len = framed(message, 1, "big.example.test.", STEER_TYPE_TXT);
    // 50 KB for each question of 35 octets, until the server reads no more or cuts us off.
    uint64_t asked = 0, begin = now_ms();
    bool cut = false;
    while (!cut && now_ms() - begin < WAIT_MS) {
        ssize_t n = send(greedy, message, len, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n == (ssize_t)len && asked < 2000) {
            asked++;
            continue;
        }
        ask_over_tcp(modest, 2);
        cut = n < 0 && errno != EAGAIN;
        usleep(5000);
    }
    assert_true(cut);
    assert_true(stats_of(f).tcp_queries > 0);
    ask_over_tcp(modest, 3);
    close(greedy);
    close(modest);
}

static void without_descriptors_it_waits_and_goes_on_when_there_are_some(void **state)
{
    struct fixture *f = *state;
    struct steer_server_options options = options_of(f);
    start(f, &options);
    struct rlimit limit, low;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    int next = dup(0);
    close(next);
    low = (struct rlimit){(rlim_t)next + 1, limit.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &low), 0);
    int fd = dial(f, SOCK_STREAM); // takes the last one
    uint8_t message[MESSAGE_BYTES];
    write_all(fd, message, framed(message, 1, "www.example.test.", STEER_TYPE_A));
    assert_false(readable(fd, 250));
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
    size_t len = read_message(fd, message);
    assert_answer(message, len, 1);
    close(fd);
}

static void random_octets_over_tcp_do_no_harm(void **state)
{
    struct fixture *f = *state;
    struct steer_server_options options = options_of(f);
    start(f, &options);
    struct steer_rng rng;
    steer_rng_init(&rng, 11);
    for (unsigned round = 0; round < 50; round++) {
        int fd = dial(f, SOCK_STREAM);
        uint8_t data[4000];
        for (size_t i = 0; i < sizeof data; i++)
            data[i] = (uint8_t)steer_rng_next(&rng);
        data[0] = 0; // short messages, so that many are parsed
        data[1] = (uint8_t)(12 + round);
        (void)!send(fd, data, sizeof data, MSG_NOSIGNAL);
        close(fd);
    }
    int fd = dial(f, SOCK_STREAM);
    ask_over_tcp(fd, 1);
    close(fd);
}

// ---- starting and stopping -----------------------------------------------------------------------

static void what_has_arrived_is_answered_when_it_stops(void **state)
{
    enum { COUNT = 100 };
    struct fixture *f = *state;
    struct steer_server_options options = options_of(f);
    options.workers = 1;
    start(f, &options);
    int udp = dial(f, SOCK_DGRAM), tcp = dial(f, SOCK_STREAM);
    uint8_t message[MESSAGE_BYTES];
    size_t len = 0;
    for (uint16_t id = 0; id < COUNT; id++)
        write_all(udp, message, question(message, id, "www.example.test.", STEER_TYPE_A));
    for (uint16_t id = 0; id < COUNT; id++)
        len += framed(message + len, id, "www.example.test.", STEER_TYPE_A);
    write_all(tcp, message, len);
    stop(f, 1000);
    for (uint16_t id = 0; id < COUNT; id++) {
        len = receive(udp, message, 0);
        assert_answer(message, len, id);
        len = read_message(tcp, message);
        assert_answer(message, len, id);
    }
    assert_true(is_closed(tcp, 0));
    close(udp);
    close(tcp);
}

static void stopping_waits_for_the_busy_no_longer_than_told(void **state)
{
    struct fixture *f = *state;
    struct steer_server_options options = options_of(f);
    start(f, &options);
    int busy = dial(f, SOCK_STREAM), idle = dial(f, SOCK_STREAM);
    ask_over_tcp(idle, 1);
    uint64_t begin = now_ms();
    write_all(busy, "\0\50ab", 4);
    stop(f, 200);
    assert_in_range(now_ms() - begin, 190, WAIT_MS);
    assert_true(is_closed(busy, 0));
    assert_true(is_closed(idle, 0));
    close(busy);
    close(idle);
    // Without anybody busy it does not wait at all.
    begin = now_ms();
    start(f, &options);
    stop(f, 60000);
    assert_in_range(now_ms() - begin, 0, WAIT_MS);
}

struct load {
    struct fixture *f;
    _Atomic bool over;
    _Atomic unsigned answers;
};

static void *make_load(void *arg)
{
    struct load *load = arg;
    int udp = dial(load->f, SOCK_DGRAM);
    uint8_t message[MESSAGE_BYTES];
    size_t len = question(message, 1, "www.example.test.", STEER_TYPE_A);
    while (!load->over) {
        uint8_t answer[MESSAGE_BYTES];
        for (unsigned i = 0; i < 50; i++)
            (void)!send(udp, message, len, MSG_NOSIGNAL | MSG_DONTWAIT);
        while (receive(udp, answer, 1))
            load->answers++;
    }
    close(udp);
    return NULL;
}

static void it_stops_under_load_and_starts_again_on_the_same_port_at_once(void **state)
{
    struct fixture *f = *state;
    struct steer_server_options options = options_of(f);
    start(f, &options);
    struct load load = {.f = f};
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, make_load, &load), 0);
    for (unsigned round = 0; round < 5; round++) {
        unsigned before = load.answers;
        int tcp = dial(f, SOCK_STREAM);
        ask_over_tcp(tcp, 1);
        while (load.answers < before + 100)
            usleep(1000);
        uint64_t begin = now_ms();
        stop(f, 2000);
        assert_in_range(now_ms() - begin, 0, 1900);
        assert_true(is_closed(tcp, 0)); // closed by the server: TIME_WAIT on its port
        start(f, &options);
        close(tcp);
    }
    load.over = true;
    pthread_join(thread, NULL);
}

static void a_bind_error_names_the_address(void **state)
{
    struct fixture *f = *state;
    struct steer_server_options options = options_of(f);
    start(f, &options);
    struct sockaddr_storage in_use = f->sa, foreign, listen[2];
    socklen_t len[2] = {f->sa_len, f->sa_len};
    char text[80];
    steer_sockaddr_format(&in_use, text, sizeof text);
    // The first address is free and must be given back when the second one is not.
    assert_true(steer_sockaddr_parse("127.0.0.9:0", &listen[0], &len[0]));
    listen[1] = in_use;
    options.listen = listen;
    options.listen_len = len;
    options.listen_count = 2;
    struct steer_server *other = NULL;
    struct steer_diag diag = {0};
    assert_int_equal(steer_server_start(&options, &other, &diag), STEER_EIO);
    assert_null(other);
    assert_non_null(strstr(diag.message, text));
    assert_non_null(strstr(diag.message, "Address already in use"));

    assert_true(steer_sockaddr_parse("192.0.2.1:0", &foreign, &len[1]));
    listen[1] = foreign;
    assert_int_equal(steer_server_start(&options, &other, &diag), STEER_EIO);
    assert_non_null(strstr(diag.message, "192.0.2.1:0"));
    int udp = dial(f, SOCK_DGRAM); // the one that runs is not disturbed
    ask_over_udp(udp, 1);
    close(udp);
}

static void a_port_taken_for_udp_alone_is_refused(void **state)
{
    struct fixture *f = *state;
    struct steer_server_options options = options_of(f);
    start(f, &options); // finds a port that is free for both
    stop(f, 0);
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fd, (const struct sockaddr *)&f->sa, f->sa_len), 0);
    struct steer_server *server = NULL;
    struct steer_diag diag = {0};
    assert_int_equal(steer_server_start(&options, &server, &diag), STEER_EIO);
    assert_non_null(strstr(diag.message, "(UDP)"));
    close(fd);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        CASE(a_question_is_answered_over_both_protocols_on_one_port),
        CASE(several_addresses_are_served_by_one_server),
        CASE(a_wildcard_bind_answers_from_the_address_asked),
        CASE(a_burst_of_a_thousand_is_answered_whole),
        CASE(garbage_of_every_length_does_no_harm),
        CASE(a_datagram_longer_than_any_query_is_dropped),
        CASE(what_does_not_fit_udp_is_truncated_and_whole_over_tcp),
        CASE(pipelined_questions_are_answered_in_order),
        CASE(a_message_may_come_octet_by_octet),
        CASE(half_a_message_is_cut_by_the_idle_timer),
        CASE(a_length_shorter_than_a_header_ends_the_conversation),
        CASE(a_half_closed_connection_still_gets_its_answers),
        CASE(beyond_a_limit_the_longest_idle_makes_room_else_the_new_is_refused),
        CASE(a_peer_that_never_reads_holds_up_nobody_and_is_cut),
        CASE(without_descriptors_it_waits_and_goes_on_when_there_are_some),
        CASE(random_octets_over_tcp_do_no_harm),
        CASE(what_has_arrived_is_answered_when_it_stops),
        CASE(stopping_waits_for_the_busy_no_longer_than_told),
        CASE(it_stops_under_load_and_starts_again_on_the_same_port_at_once),
        CASE(a_bind_error_names_the_address),
        CASE(a_port_taken_for_udp_alone_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
