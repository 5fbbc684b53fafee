// SPDX-License-Identifier: GPL-3.0-or-later
#include "config.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "steerd/base/addr.h"
#include "steerd/base/buf.h"
#include "steerd/base/hash.h"
#include "steerd/base/mem.h"
#include "steerd/policy/tree.h"

enum {
    FILE_MAX_BYTES = 1 << 20,
    TEXT_MAX = 63,
    TCP_CONNECTIONS_MAX = 100000,
    TCP_IDLE_MIN_MS = 500,
    TCP_IDLE_MAX_MS = 3600000, // what RFC 7828 can tell goes to 6553 s
};

// One setting, the same from the command line and from the file. set returns what would be right, or NULL
// when value was taken.
struct setting {
    const char *name; // key in the file; with dashes, the option
    bool list;        // may be given several times
    const char *(*set)(struct config *c, const char *value);
};

static bool is_mapped(const struct sockaddr_storage *sa)
{
    struct steer_addr addr;
    steer_addr_from_sockaddr(sa, &addr, NULL);
    return sa->ss_family == AF_INET6 && addr.family == STEER_V4;
}

static const char *set_listen(struct config *c, const char *value)
{
    if (c->listen_count == CONFIG_LISTEN_MAX)
        return "at most 64 addresses";
    if (!steer_sockaddr_parse(value, &c->listen[c->listen_count], &c->listen_len[c->listen_count]))
        return "an address with a port, like 192.0.2.53:53 or [2001:db8::53]:53";
    if (is_mapped(&c->listen[c->listen_count])) // IPv6 sockets here take no IPv4
        return "an IPv4 address as such, like 192.0.2.53:53, without ::ffff:";
    c->listen_count++;
    return NULL;
}

static const char *set_admin(struct config *c, const char *value)
{
    if (!steer_sockaddr_parse(value, &c->admin, &c->admin_len))
        return "an address with a port, like 127.0.0.1:8053";
    return NULL;
}

static const char *replace(char **to, const char *value, const char *wanted)
{
    if (!value[0])
        return wanted;
    free(*to);
    *to = steer_strdup(value);
    return NULL;
}

static const char *set_data(struct config *c, const char *value)
{
    return replace(&c->data, value, "a folder");
}

static const char *set_geo(struct config *c, const char *value)
{
    if (c->geo_count == CONFIG_GEO_MAX)
        return "at most 16 files";
    return replace(&c->geo[c->geo_count++], value, "an .mmdb or .csv file");
}

// "country=country_code": where the .mmdb files keep a part (a path of keys, dot-separated).
static const char *set_geo_key(struct config *c, const char *value)
{
    const struct {
        const char *name;
        const char **path;
    } parts[] = {
        {"continent", &c->geo_keys.continent},     {"country", &c->geo_keys.country},
        {"subdivision", &c->geo_keys.subdivision}, {"latitude", &c->geo_keys.latitude},
        {"longitude", &c->geo_keys.longitude},     {"asn", &c->geo_keys.asn},
    };
    const char *equals = strchr(value, '=');
    for (unsigned i = 0; equals && equals[1] && i < STEER_ARRAY_LEN(parts); i++) {
        size_t len = strlen(parts[i].name);
        if ((size_t)(equals - value) != len || strncmp(parts[i].name, value, len) != 0)
            continue;
        free((char *)(uintptr_t)*parts[i].path);
        *parts[i].path = steer_strdup(equals + 1);
        return NULL;
    }
    return "PART=PATH, where PART is continent, country, subdivision, latitude, longitude or asn, "
           "like "
           "country=country.iso_code";
}

static bool number_within(const char *value, unsigned long min, unsigned long max, unsigned long *n)
{
    char *end;
    *n = strtoul(value, &end, 10);
    return value[0] >= '0' && value[0] <= '9' && !*end && *n >= min && *n <= max;
}

static const char *set_workers(struct config *c, const char *value)
{
    unsigned long n;
    if (!number_within(value, 1, 256, &n))
        return "a number from 1 to 256";
    c->workers = (unsigned)n;
    return NULL;
}

static const char *set_rrl_rate(struct config *c, const char *value)
{
    unsigned long n;
    if (!number_within(value, 0, STEER_RRL_RATE_MAX, &n))
        return "answers a second, up to 1000000; 0 switches the limit off";
    c->rrl.rate = (uint32_t)n;
    return NULL;
}

static const char *set_rrl_slip(struct config *c, const char *value)
{
    unsigned long n;
    if (!number_within(value, 0, STEER_RRL_SLIP_MAX, &n))
        return "a number from 0 to 10";
    c->rrl.slip = (uint32_t)n;
    return NULL;
}

static const char *set_rrl_ipv4_prefix(struct config *c, const char *value)
{
    unsigned long n;
    if (!number_within(value, 1, 32, &n))
        return "a prefix length from 1 to 32";
    c->rrl.v4_len = (uint8_t)n;
    return NULL;
}

static const char *set_rrl_ipv6_prefix(struct config *c, const char *value)
{
    unsigned long n;
    if (!number_within(value, 1, STEER_RRL_V6_LEN_MAX, &n))
        return "a prefix length from 1 to 64";
    c->rrl.v6_len = (uint8_t)n;
    return NULL;
}

static bool is_mapped_prefix(const struct steer_prefix *prefix)
{
    static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
    return prefix->addr.family == STEER_V6 && prefix->len >= 96 &&
           memcmp(prefix->addr.octets, mapped, sizeof mapped) == 0;
}

static const char *set_rrl_allow(struct config *c, const char *value)
{
    c->rrl_allow_given = true;
    if (strcmp(value, "none") == 0) {
        c->rrl.allow_count = 0;
        return NULL;
    }
    if (c->rrl.allow_count == CONFIG_ALLOW_MAX)
        return "at most 64 prefixes";
    if (!steer_prefix_parse(value, &c->rrl_allow[c->rrl.allow_count], NULL))
        return "a prefix without host bits, like 192.0.2.0/24 or 2001:db8::/32, or none";
    if (is_mapped_prefix(&c->rrl_allow[c->rrl.allow_count])) // clients are never seen as such
        return "an IPv4 prefix as such, like 192.0.2.0/24, without ::ffff:";
    c->rrl.allow_count++;
    return NULL;
}

static const char *set_tcp_connections(struct config *c, const char *value)
{
    unsigned long n;
    if (!number_within(value, 1, TCP_CONNECTIONS_MAX, &n))
        return "a number from 1 to 100000";
    c->tcp_connections = (unsigned)n;
    return NULL;
}

static const char *set_tcp_connections_per_client(struct config *c, const char *value)
{
    unsigned long n;
    if (!number_within(value, 1, TCP_CONNECTIONS_MAX, &n))
        return "a number from 1 to 100000";
    c->tcp_connections_per_client = (unsigned)n;
    return NULL;
}

static const char *set_tcp_idle(struct config *c, const char *value)
{
    uint64_t ms;
    if (!steer_duration_parse(value, &ms) || ms < TCP_IDLE_MIN_MS || ms > TCP_IDLE_MAX_MS)
        return "a time from 500ms to 1h, like 10s";
    c->tcp_idle_ms = (uint32_t)ms;
    return NULL;
}

static const char *set_cookie_secrets(struct config *c, const char *value)
{
    return replace(&c->cookie_secrets, value, "a file of one or two secrets, or none");
}

static const char *set_pin(struct config *c, const char *value)
{
    if (strcmp(value, "true") != 0 && strcmp(value, "false") != 0)
        return "true or false";
    c->pin = value[0] == 't';
    return NULL;
}

static const char *set_log_level(struct config *c, const char *value)
{
    return steer_log_level_parse(value, &c->log_level) ? NULL : "error, warn, info or debug";
}

static const char *set_ca_file(struct config *c, const char *value)
{
    return replace(&c->ca_file, value, "a file of certificates (PEM)");
}

static const char *set_text(char **to, const char *value)
{
    if (strlen(value) > TEXT_MAX)
        return "at most 63 octets";
    free(*to);
    *to = value[0] ? steer_strdup(value) : NULL;
    return NULL;
}

static const char *set_nsid(struct config *c, const char *value)
{
    return set_text(&c->nsid, value);
}

static const char *set_version(struct config *c, const char *value)
{
    return set_text(&c->version, value);
}

// "1/100" or "0.01": of so many queries one.
static const char *set_replay_sample(struct config *c, const char *value)
{
    static const char *const wanted = "1/N, a fraction like 0.01, or 0 for none";
    unsigned long n = 0;
    char *end;
    if (strncmp(value, "1/", 2) == 0 && number_within(value + 2, 1, 1000000000, &n)) {
        c->replay_one_in = (uint32_t)n;
        return NULL;
    }
    double fraction = strtod(value, &end);
    if (*value < '0' || *value > '9' || *end || fraction > 1 || (fraction > 0 && fraction < 1e-9))
        return wanted;
    c->replay_one_in = fraction > 0 ? (uint32_t)(1 / fraction + 0.5) : 0;
    return NULL;
}

static const char *set_replay_size(struct config *c, const char *value)
{
    unsigned long n;
    if (!number_within(value, 1, STEER_REPLAY_RECORDS_MAX, &n))
        return "a number of queries from 1 to 262144";
    c->replay_records = (uint32_t)n;
    return NULL;
}

static const struct setting settings[] = {
    {"listen", true, set_listen},
    {"admin", false, set_admin},
    {"data", false, set_data},
    {"geo", true, set_geo},
    {"workers", false, set_workers},
    {"pin", false, set_pin},
    {"log_level", false, set_log_level},
    {"ca_file", false, set_ca_file},
    {"nsid", false, set_nsid},
    {"version_text", false, set_version},
    {"geo_key", true, set_geo_key},
    {"rrl_rate", false, set_rrl_rate},
    {"rrl_slip", false, set_rrl_slip},
    {"rrl_allow", true, set_rrl_allow},
    {"rrl_ipv4_prefix", false, set_rrl_ipv4_prefix},
    {"rrl_ipv6_prefix", false, set_rrl_ipv6_prefix},
    {"tcp_connections", false, set_tcp_connections},
    {"tcp_connections_per_client", false, set_tcp_connections_per_client},
    {"tcp_idle", false, set_tcp_idle},
    {"cookie_secrets", false, set_cookie_secrets},
    {"replay_sample", false, set_replay_sample},
    {"replay_size", false, set_replay_size},
};

static const struct setting *find_setting(const char *name)
{
    for (unsigned i = 0; i < STEER_ARRAY_LEN(settings); i++)
        if (strcmp(settings[i].name, name) == 0)
            return &settings[i];
    return NULL;
}

// ---- the file ------------------------------------------------------------------------------------

static bool complain(const char *file, struct steer_where at, const char *message)
{
    fprintf(stderr, "steerd: %s:%u:%u: %s\n", file, at.line, at.column, message);
    return false;
}

static const char *scalar_text(const json_t *value, char *number, size_t size)
{
    if (json_is_string(value))
        return json_string_value(value);
    if (json_is_boolean(value))
        return json_is_true(value) ? "true" : "false";
    if (!json_is_integer(value))
        return NULL;
    snprintf(number, size, "%lld", (long long)json_integer_value(value));
    return number;
}

static bool file_value(struct config *c, const struct setting *s, const json_t *value,
                       const char *file, struct steer_where at)
{
    char number[32];
    char message[256];
    const char *text = scalar_text(value, number, sizeof number);
    const char *wanted = text ? s->set(c, text) : "a plain value";
    if (!wanted)
        return true;
    snprintf(message, sizeof message, "'%s' takes %s", s->name, wanted);
    return complain(file, at, message);
}

static bool file_entry(struct config *c, const struct steer_tree *tree, const char *key,
                       const json_t *value, const struct steer_position *p, const char *file)
{
    const struct setting *s = find_setting(key);
    if (!s) {
        const char *names[STEER_ARRAY_LEN(settings)];
        char message[512];
        for (unsigned i = 0; i < STEER_ARRAY_LEN(settings); i++)
            names[i] = settings[i].name;
        const char *near = steer_nearest_word(key, names, STEER_ARRAY_LEN(settings));
        snprintf(message, sizeof message,
                 near ? "unknown key '%s'; did you mean '%s'?" : "unknown key '%s'", key, near);
        return complain(file, p->key_at, message);
    }
    if (!json_is_array(value))
        return file_value(c, s, value, file, p->at);
    if (!s->list)
        return complain(file, p->at, "one value is wanted here, not a list");
    const struct steer_position *items = steer_tree_positions(tree, value);
    for (size_t i = 0; i < json_array_size(value); i++)
        if (!file_value(c, s, json_array_get(value, i), file, items[i].at))
            return false;
    return true;
}

static bool read_file(struct config *c, const char *file)
{
    struct steer_buf text = {0};
    struct steer_tree tree;
    struct steer_diag diag = {0};
    char line[2048];
    enum steer_err err = steer_buf_read_file(&text, file, FILE_MAX_BYTES, &diag);
    if (err == STEER_OK)
        err = steer_tree_parse(text.data, text.len, file, &tree, &diag);
    steer_buf_fini(&text);
    if (err != STEER_OK) {
        fprintf(stderr, "steerd: %s\n", steer_diag_format(&diag, line, sizeof line));
        return false;
    }
    bool good = json_is_object(tree.root);
    if (!good)
        complain(file, tree.at, "a configuration is a mapping, like `listen: [127.0.0.1:5300]`");
    const struct steer_position *p = good ? steer_tree_positions(&tree, tree.root) : NULL;
    const char *key;
    json_t *value;
    json_object_foreach(tree.root, key, value)
    {
        if (good && !file_entry(c, &tree, key, value, p, file))
            good = false;
        p++;
    }
    steer_tree_fini(&tree);
    return good;
}

// ---- the command line ----------------------------------------------------------------------------

static const char usage[] =
    "usage: steerd [--listen ADDR:PORT]... [--admin ADDR:PORT] [--data DIR] [--geo FILE]...\n"
    "              [--workers N] [--config FILE] [--check-config]\n"
    "\n"
    "An authoritative DNS server that decides per query which answer each client gets.\n"
    "\n"
    "  --listen ADDR:PORT   answer DNS there, UDP and TCP (repeatable; 127.0.0.1:5300)\n"
    "  --admin ADDR:PORT    the HTTP API that steerctl speaks to (127.0.0.1:8053)\n"
    "  --data DIR           the database and the admin token (./data)\n"
    "  --geo FILE           an .mmdb file, or a table of networks as text (.csv); a later one "
    "fills\n"
    "                       in what earlier ones leave open (repeatable)\n"
    "  --geo-key PART=PATH  where the files keep continent, country, subdivision, latitude, "
    "longitude,\n"
    "                       asn, e.g. country=country_code (the usual places are tried)\n"
    "  --workers N          UDP workers per listen address (one per core)\n"
    "  --pin true|false     keep each worker on one core (false)\n"
    "  --ca-file FILE       certificates that https checks trust (the system's)\n"
    "  --nsid TEXT          what NSID and id.server say (off)\n"
    "  --version-text TEXT  what version.bind says (off)\n"
    "  --rrl-rate N         answers of one kind that a network gets over UDP in a second (1000; 0: "
    "no limit)\n"
    "  --rrl-slip N         of those beyond, every Nth is truncated, not dropped (2; 0: none)\n"
    "  --rrl-allow PREFIX   clients that are never limited (repeatable; loopback), or none\n"
    "  --rrl-ipv4-prefix N, --rrl-ipv6-prefix N\n"
    "                       what counts as one network (24, 56)\n"
    "  --tcp-connections N  open TCP connections in all (1000)\n"
    "  --tcp-connections-per-client N\n"
    "                       ... of one IPv4 address or IPv6 /64 (100)\n"
    "  --tcp-idle TIME      until an idle one is closed (10s)\n"
    "  --cookie-secrets FILE  one or two secrets for DNS cookies (DATA/cookie.secrets, made if "
    "missing),\n"
    "                       or none: no cookies\n"
    "  --replay-sample 1/N  keep one of N queries, for steerctl replay; clients as /24 and /56 "
    "(0: none)\n"
    "  --replay-size N      how many are kept, in memory (65536)\n"
    "  --log-level LEVEL    error, warn, info or debug (info)\n"
    "  --config FILE        the same as a YAML file: listen, admin, data, geo, ...; the command "
    "line\n"
    "                       overrides it\n"
    "  --check-config       check configuration and geo files, change nothing, and exit\n"
    "  --version, --help\n";

enum { OPT_CONFIG = 1000, OPT_CHECK, OPT_VERSION, OPT_HELP };

static const struct option options[] = {
    {"listen", required_argument, NULL, 0},
    {"admin", required_argument, NULL, 1},
    {"data", required_argument, NULL, 2},
    {"geo", required_argument, NULL, 3},
    {"workers", required_argument, NULL, 4},
    {"pin", required_argument, NULL, 5},
    {"log-level", required_argument, NULL, 6},
    {"ca-file", required_argument, NULL, 7},
    {"nsid", required_argument, NULL, 8},
    {"version-text", required_argument, NULL, 9},
    {"geo-key", required_argument, NULL, 10},
    {"rrl-rate", required_argument, NULL, 11},
    {"rrl-slip", required_argument, NULL, 12},
    {"rrl-allow", required_argument, NULL, 13},
    {"rrl-ipv4-prefix", required_argument, NULL, 14},
    {"rrl-ipv6-prefix", required_argument, NULL, 15},
    {"tcp-connections", required_argument, NULL, 16},
    {"tcp-connections-per-client", required_argument, NULL, 17},
    {"tcp-idle", required_argument, NULL, 18},
    {"cookie-secrets", required_argument, NULL, 19},
    {"replay-sample", required_argument, NULL, 20},
    {"replay-size", required_argument, NULL, 21},
    {"config", required_argument, NULL, OPT_CONFIG},
    {"check-config", no_argument, NULL, OPT_CHECK},
    {"version", no_argument, NULL, OPT_VERSION},
    {"help", no_argument, NULL, OPT_HELP},
    {NULL, 0, NULL, 0},
};

static enum config_result usage_error(const char *message, const char *value)
{
    fprintf(stderr, "steerd: %s%s%s\nTry `steerd --help`.\n", message, value ? ": " : "",
            value ? value : "");
    return CONFIG_EXIT_USAGE;
}

// What the command line gives of a list takes the place of the file's.
static void forget_list(struct config *c, int option, bool *seen)
{
    if (seen[option])
        return;
    seen[option] = true;
    if (option == 0)
        c->listen_count = 0;
    if (option == 13)
        c->rrl.allow_count = 0;
    while (option == 3 && c->geo_count) {
        free(c->geo[--c->geo_count]);
        c->geo[c->geo_count] = NULL;
    }
}

static enum config_result read_option(struct config *c, int option, bool *seen)
{
    char message[128];
    switch (option) {
    case OPT_CONFIG:
        return CONFIG_RUN; // read before
    case OPT_CHECK:
        c->check_only = true;
        return CONFIG_RUN;
    case OPT_VERSION:
        printf("steerd %s\n", STEER_VERSION);
        return CONFIG_EXIT_OK;
    case OPT_HELP:
        fputs(usage, stdout);
        return CONFIG_EXIT_OK;
    default:
        break;
    }
    if (option < 0 || option >= (int)STEER_ARRAY_LEN(settings)) {
        fputs("Try `steerd --help`.\n", stderr);
        return CONFIG_EXIT_USAGE;
    }
    forget_list(c, option, seen);
    const char *wanted = settings[option].set(c, optarg);
    if (!wanted)
        return CONFIG_RUN;
    snprintf(message, sizeof message, "--%s takes %s, not", options[option].name, wanted);
    return usage_error(message, optarg);
}

static enum config_result read_files(int argc, char **argv, struct config *c)
{
    opterr = 0;
    for (int option; (option = getopt_long(argc, argv, "", options, NULL)) != -1;)
        if (option == OPT_CONFIG && !read_file(c, optarg))
            return CONFIG_EXIT_USAGE;
    opterr = 1;
    optind = 1;
    return CONFIG_RUN;
}

static void set_defaults(struct config *c)
{
    memset(c, 0, sizeof *c);
    c->log_level = STEER_LOG_INFO;
    c->data = steer_strdup("data");
    c->rrl.rate = STEER_RRL_RATE;
    c->rrl.slip = STEER_RRL_SLIP;
    c->rrl.allow = c->rrl_allow;
    c->tcp_connections = STEER_TCP_LIMIT;
    c->tcp_connections_per_client = STEER_TCP_PER_CLIENT;
    c->tcp_idle_ms = STEER_TCP_IDLE_MS;
    (void)set_admin(c, "127.0.0.1:8053");
}

enum config_result config_read(int argc, char **argv, struct config *c)
{
    bool seen[STEER_ARRAY_LEN(settings)] = {false};
    set_defaults(c);
    enum config_result result = read_files(argc, argv, c);
    while (result == CONFIG_RUN) {
        int option = getopt_long(argc, argv, "", options, NULL);
        if (option == -1)
            break;
        result = read_option(c, option, seen);
    }
    if (result == CONFIG_RUN && optind < argc)
        result = usage_error("no arguments are taken beside the options", argv[optind]);
    if (result == CONFIG_RUN && !c->listen_count)
        (void)set_listen(c, "127.0.0.1:5300");
    if (result == CONFIG_RUN && !c->rrl_allow_given) {
        (void)set_rrl_allow(c, "127.0.0.0/8");
        (void)set_rrl_allow(c, "::1/128");
    }
    return result;
}

void config_fini(struct config *c)
{
    for (size_t i = 0; i < c->geo_count; i++)
        free(c->geo[i]);
    const char *keys[] = {c->geo_keys.continent, c->geo_keys.country,   c->geo_keys.subdivision,
                          c->geo_keys.latitude,  c->geo_keys.longitude, c->geo_keys.asn};
    for (unsigned i = 0; i < STEER_ARRAY_LEN(keys); i++)
        free((char *)(uintptr_t)keys[i]);
    free(c->data);
    free(c->cookie_secrets);
    free(c->ca_file);
    free(c->nsid);
    free(c->version);
}
