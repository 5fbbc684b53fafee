// SPDX-License-Identifier: GPL-3.0-or-later
// Options: --name value, --name=value, -x value, --flag; `--` ends them. They may stand anywhere among the
// operands.
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "cli_internal.h"
#include "steerd/base/hash.h"

enum { OPTIONS_MAX = 16 };

int cli_usage(const struct cli *cli, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    fputs("steerctl: ", stderr);
    vfprintf(stderr, fmt, args);
    va_end(args);
    fprintf(stderr, "\nTry 'steerctl %s%s--help'.\n", cli->command ? cli->command : "",
            cli->command ? " " : "");
    return CLI_USAGE;
}

static const struct cli_option *find(const struct cli_option *options, size_t count,
                                     const char *word, size_t len)
{
    for (size_t i = 0; i < count; i++) {
        bool is_long = word[1] == '-' && strlen(options[i].name) == len - 2 &&
                       strncmp(options[i].name, word + 2, len - 2) == 0;
        bool is_short = len == 2 && word[1] != '-' && options[i].letter == word[1];
        if (is_long || is_short)
            return &options[i];
    }
    return NULL;
}

static void unknown(const struct cli *cli, const struct cli_option *options, size_t count,
                    const char *word, size_t len)
{
    const char *names[OPTIONS_MAX];
    char name[64];
    for (size_t i = 0; i < count; i++)
        names[i] = options[i].name;
    snprintf(name, sizeof name, "%.*s", (int)(len < 60 ? len : 60), word);
    const char *near = name[1] == '-' ? steer_nearest_word(name + 2, names, count) : NULL;
    if (near)
        cli_usage(cli, "unknown option '%s'; did you mean '--%s'?", name, near);
    else
        cli_usage(cli, "unknown option '%s'", name);
}

// Reads the option at argv[at] and returns how many words it took; 0: a usage error was printed.
static int read_one(const struct cli *cli, const struct cli_option *options, size_t count, int at,
                    int argc, char **argv)
{
    const char *word = argv[at];
    const char *equals = word[1] == '-' ? strchr(word, '=') : NULL;
    size_t len = equals ? (size_t)(equals - word) : strlen(word);
    const struct cli_option *option = find(options, count, word, len);
    if (!option) {
        unknown(cli, options, count, word, len);
        return 0;
    }
    if (option->flag) {
        if (equals) {
            cli_usage(cli, "option '--%s' takes no value", option->name);
            return 0;
        }
        *option->flag = true;
        return 1;
    }
    if (!equals && at + 1 >= argc) {
        cli_usage(cli, "option '--%s' needs a value", option->name);
        return 0;
    }
    const char *value = equals ? equals + 1 : argv[at + 1];
    if (option->values && option->values->count == CLI_VALUES_MAX) {
        cli_usage(cli, "option '--%s' may be given %d times", option->name, CLI_VALUES_MAX);
        return 0;
    }
    if (option->values)
        option->values->items[option->values->count++] = value;
    else
        *option->value = value;
    return equals ? 1 : 2;
}

bool cli_options_read(struct cli *cli, const struct cli_option *options, size_t count,
                      bool first_operand_only, int *argc, char **argv)
{
    const struct cli_option global[] = {
        {"url", 0, &cli->url, NULL, NULL},
        {"token-file", 0, &cli->token_file, NULL, NULL},
        {"json", 0, NULL, &cli->json, NULL},
    };
    struct cli_option all[OPTIONS_MAX];
    memcpy(all, global, sizeof global);
    for (size_t i = 0; i < count; i++)
        all[STEER_ARRAY_LEN(global) + i] = options[i];
    count += STEER_ARRAY_LEN(global);
    int operands = 0;
    bool ended = false;
    for (int at = 0; at < *argc;) {
        if (!ended && strcmp(argv[at], "--") == 0) {
            ended = true;
            at++;
        } else if (ended || argv[at][0] != '-' || argv[at][1] == '\0') {
            if (first_operand_only) {
                memmove(argv, argv + at, (size_t)(*argc - at) * sizeof *argv);
                *argc -= at;
                return true;
            }
            argv[operands++] = argv[at++];
        } else {
            int taken = read_one(cli, all, count, at, *argc, argv);
            if (!taken)
                return false;
            at += taken;
        }
    }
    *argc = operands;
    return true;
}
