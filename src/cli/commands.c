// SPDX-License-Identifier: GPL-3.0-or-later
// The table of commands, their help, and the way into them.
#include <curl/curl.h>
#include <langinfo.h>
#include <locale.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli_internal.h"
#include "steerd/base/hash.h"

struct command {
    const char *name; // one word or two
    const char *operands;
    const char *summary;
    const char *help;
    int (*run)(struct cli *cli, int argc, char **argv);
};

static const struct command commands[] = {
    {"apply",
     "[--yes] [--dry-run] [--take-over] [--prune] [--override-assert NAME --reason TEXT] FILE...",
     "apply policy documents, all or none",
     "Sends the documents (YAML or JSON; '-' is standard input) to steerd, which applies all of "
     "them or\n"
     "none. Without --yes it first shows what would change and asks.\n\n"
     "  --yes        do not ask\n"
     "  --dry-run    only show what would change\n"
     "  --take-over  also define objects that another document defined\n"
     "  --prune      remove what is in the documents' zones and no longer in the documents\n"
     "  --override-assert NAME  apply although this assertion does not hold (may be repeated)\n"
     "  --reason TEXT           why; goes into the audit with it\n",
     cmd_apply},
    {"plan",
     "[--all] [--population queries] [--take-over] [--prune] [--override-assert NAME] FILE...",
     "show what applying documents would do to those who ask",
     "Changes nothing. Shows what would be created, replaced and removed; whether assertions hold "
     "(exit\n"
     "status 4 when one does not); and for each record what happens when any one endpoint or site "
     "fails, the\n"
     "exact share of each endpoint before and after, by continent and country, and which places "
     "move.\n\n"
     "  -a, --all               also what stays, pools and sites, and every place\n"
     "  --population queries    shares of the queries that steerd sampled (--replay-sample), not "
     "of "
     "addresses\n"
     "  --take-over, --prune    as for apply\n"
     "  --override-assert NAME  this assertion need not hold (may be repeated)\n",
     cmd_plan},
    {"zone import", "ORIGIN FILE | --list FILE", "load zones from master files",
     "Replaces (or creates) the static records of a zone; its steered records stay. FILE '-' is "
     "standard\n"
     "input. Files named with $INCLUDE are read in FILE's folder, or below it, and sent along.\n\n"
     "  --list FILE  load many zones: each line of FILE is 'ORIGIN PATH', '#' starts a comment, "
     "and relative\n"
     "               paths are relative to FILE. Zones with errors are listed, the others load, "
     "and the\n"
     "               exit status is 3.\n",
     cmd_zone_import},
    {"zone export", "ORIGIN [-o FILE]", "write a zone as a master file",
     "Writes a master file that imports again to the same zone; steered records stand in "
     "comments.\n\n"
     "  -o, --output FILE  write to FILE, which is replaced only when all is written\n",
     cmd_zone_export},
    {"zone list", "", "list the zones", "", cmd_zone_list},
    {"zone delete", "ORIGIN [--yes]", "delete a zone and all that is in it",
     "  --yes  do not ask\n", cmd_zone_delete},
    {"status", "", "show endpoints, checks, geo files and counts", "", cmd_status},
    {"explain",
     "NAME TYPE --client ADDR[/LEN] [--down KIND:NAME]... [--at-health FILE] [--with FILE]...",
     "show which answer a client gets, and why",
     "Asks the server's own evaluator, with its reasons: the client's class and place, the "
     "candidates that\n"
     "were looked at, the exact share of each answer, and the scope.\n\n"
     "  --client ADDR[/LEN]  the client's address, or the subnet that its resolver sends (ECS)\n"
     "  --down KIND:NAME     what if this endpoint, site or pool were down (may be repeated)\n"
     "  --at-health FILE     with health as a saved 'steerctl status --json' has it\n"
     "  --with FILE          as if this document were applied (may be repeated)\n",
     cmd_explain},
    {"replay", "--with FILE [--limit N] [--take-over] [--prune]",
     "show what a document would have changed for queries that were asked",
     "The server runs the newest queries of its sample (steerd --replay-sample) through what it "
     "answers now\n"
     "and what it would answer with the document, which is not applied.\n\n"
     "  --with FILE    the document; '-' is standard input\n"
     "  -n, --limit N  the newest N queries (default 10000, at most 100000)\n"
     "  --take-over, --prune  as for apply\n",
     cmd_replay},
    {"override set",
     "KIND TARGET up|down|drained --reason TEXT [--owner NAME] [--for 2h] [--clients NETWORK,...]",
     "force an endpoint, pool, site or check",
     "KIND is endpoint, pool, site or check.\n\n"
     "  --reason TEXT          why; required\n"
     "  --owner NAME           who (default: the user's name)\n"
     "  --for TIME             end by itself after 30m, 2h, 1d, ...\n"
     "  --clients NETWORK,...  only for clients in these networks: a rehearsal (may be repeated)\n",
     cmd_override_set},
    {"override clear", "KIND TARGET [--clients NETWORK,...]", "end an override",
     "  --clients NETWORK,...  the one for clients in exactly these networks\n",
     cmd_override_clear},
    {"override list", "", "list the overrides", "", cmd_override_list},
    {"switch set", "NAME POSITION [--reason TEXT] [--owner NAME]", "set a switch to a position",
     "The position holds over restarts, until it is set again.\n\n"
     "  --reason TEXT  why\n"
     "  --owner NAME   who (default: the user's name)\n",
     cmd_switch_set},
    {"switch list", "", "list the switches and where they stand", "", cmd_switch_list},
    {"document list", "", "list the documents that were applied", "", cmd_document_list},
    {"document show", "NAME", "print a document as it was applied last", "", cmd_document_show},
    {"import octodns", "FILE [--zone NAME] [-o OUT]", "turn a zone file of octoDNS into a document",
     "Prints a document with the same meaning: dynamic records (pools, rules, fallbacks, health "
     "checks)\n"
     "become steered ones. What is not carried over is said on standard error. Nothing is sent to "
     "the server.\n\n"
     "  --zone NAME      the zone (default: FILE's name without .yaml)\n"
     "  -o, --output OUT write to OUT, which is replaced only when all is written\n",
     cmd_import_octodns},
    {"latency import", "NAME FILE [--dry-run]", "upload a latency table",
     "FILE is CSV with the columns client, site and ms (a client is a place, a network or "
     "AS64500), or the\n"
     "same in JSON; '-' is standard input. It becomes the document latency-NAME, which replaces "
     "the table "
     "whole.\n\n"
     "  --dry-run  check it, change nothing\n",
     cmd_latency_import},
    {"latency list", "", "list the latency tables", "", cmd_latency_list},
    {"latency show", "NAME [--at NUMBER | --estimates [--limit N]]",
     "show the rows of a latency table",
     "With the tables that were frozen and are kept.\n\n"
     "  --at NUMBER    the rows of a kept table\n"
     "  --estimates    what was measured, the heaviest first\n"
     "  -n, --limit N  at most so many (default 1000)\n",
     cmd_latency_show},
    {"latency freeze", "NAME [--override-assert NAME --reason TEXT]",
     "freeze what was measured, now",
     "Ends what 'latency rollback' began.\n\n"
     "  --override-assert NAME  although this assertion does not hold (may be repeated)\n"
     "  --reason TEXT           why, for the audit\n",
     cmd_latency_freeze},
    {"latency rollback", "NAME NUMBER [--override-assert NAME --reason TEXT]",
     "put a kept table in force again",
     "Under a new number. Nothing is frozen after it until 'latency freeze'.\n\n"
     "  --override-assert NAME  although this assertion does not hold (may be repeated)\n"
     "  --reason TEXT           why, for the audit\n",
     cmd_latency_rollback},
    {"latency samples", "NAME FILE", "send measurements for a latency table",
     "FILE is CSV with client (an address or a network), site and ms; '-' is standard input. Lines "
     "that\n"
     "are refused are named, and the others count. The beacon.token suffices.\n",
     cmd_latency_samples},
    {"export octodns", "ZONE [-o OUT]", "write a zone as a zone file of octoDNS",
     "Refused, with a list, when octoDNS could not say all of it.\n\n"
     "  -o, --output OUT  write to OUT, which is replaced only when all is written\n",
     cmd_export_octodns},
    {"audit", "[--limit N] [--since TIME]", "show who changed what, newest first",
     "  -n, --limit N  at most so many (default 100, at most 1000)\n"
     "  --since TIME   not older: 2h, 7d, 2026-01-31 or 2026-01-31T12:00:00Z\n",
     cmd_audit},
};

static const char global_help[] =
    "Options for all commands:\n"
    "  --url URL          where the admin API is (default: STEERCTL_URL, or "
    "http://127.0.0.1:8053)\n"
    "  --token-file FILE  the server's admin.token (default: STEERCTL_TOKEN holds the token "
    "itself, else\n"
    "                     ./data/admin.token, else /var/lib/steerd/admin.token)\n"
    "  --json             print the server's JSON\n"
    "  --help, --version\n\n"
    "Exit status: 0 done; 1 refused or failed; 2 wrong usage; 3 done in part; 4 plan: an "
    "assertion\n"
    "does not hold.\n";

static void print_commands(const char *group)
{
    size_t len = strlen(group);
    for (size_t i = 0; i < STEER_ARRAY_LEN(commands); i++)
        if (strncmp(commands[i].name, group, len) == 0 &&
            (len == 0 || commands[i].name[len] == ' '))
            printf("  %-16s %s\n", commands[i].name, commands[i].summary);
}

static int print_help(const char *group)
{
    printf("steerctl: operate steerd, the DNS server that steers traffic\n\n"
           "Usage: steerctl [options] %s ...\n\nCommands ('steerctl COMMAND --help' says more):\n",
           *group ? group : "COMMAND");
    print_commands(group);
    printf("\n%s", global_help);
    return CLI_OK;
}

static int print_command_help(const struct command *command)
{
    printf("steerctl %s: %s\n\nUsage: steerctl %s %s\n\n%s%s%s", command->name, command->summary,
           command->name, command->operands, command->help, *command->help ? "\n" : "",
           global_help);
    return CLI_OK;
}

static bool is_group(const char *word)
{
    size_t len = strlen(word);
    for (size_t i = 0; i < STEER_ARRAY_LEN(commands); i++)
        if (strncmp(commands[i].name, word, len) == 0 && commands[i].name[len] == ' ')
            return true;
    return false;
}

static const struct command *find(const char *name)
{
    for (size_t i = 0; i < STEER_ARRAY_LEN(commands); i++)
        if (strcmp(commands[i].name, name) == 0)
            return &commands[i];
    return NULL;
}

static int unknown_command(struct cli *cli, const char *name)
{
    static const char *const groups[] = {"zone",     "override", "latency", "switch",
                                         "document", "import",   "export"};
    const char *names[STEER_ARRAY_LEN(commands) + STEER_ARRAY_LEN(groups)];
    size_t count = 0;
    for (size_t i = 0; i < STEER_ARRAY_LEN(commands); i++)
        names[count++] = commands[i].name;
    for (size_t i = 0; i < STEER_ARRAY_LEN(groups) && !strchr(name, ' '); i++)
        names[count++] = groups[i];
    const char *near = steer_nearest_word(name, names, count);
    if (near)
        return cli_usage(cli, "unknown command '%s'; did you mean '%s'?", name, near);
    return cli_usage(cli, "unknown command '%s'", name);
}

static bool asks_for(const char *option, int argc, char **argv)
{
    for (int i = 0; i < argc && strcmp(argv[i], "--") != 0; i++)
        if (strcmp(argv[i], option) == 0 ||
            (strcmp(option, "--help") == 0 && strcmp(argv[i], "-h") == 0))
            return true;
    return false;
}

// argv starts at the command's first word.
static int dispatch(struct cli *cli, int argc, char **argv)
{
    char name[128];
    int words = 1;
    snprintf(name, sizeof name, "%s", argv[0]);
    if (is_group(name)) {
        if (argc < 2 || argv[1][0] == '-') {
            if (asks_for("--help", argc, argv))
                return print_help(argv[0]);
            cli->command = argv[0];
            return cli_usage(cli, "'%s' needs a word more", argv[0]);
        }
        snprintf(name, sizeof name, "%s %s", argv[0], argv[1]);
        words = 2;
    }
    const struct command *command = find(name);
    if (!command)
        return unknown_command(cli, name);
    if (asks_for("--help", argc, argv))
        return print_command_help(command);
    cli->command = command->name;
    return command->run(cli, argc - words, argv + words);
}

static bool takes_colour(int fd)
{
    const char *no = getenv("NO_COLOR"), *terminal = getenv("TERM");
    return isatty(fd) && !(no && *no) && !(terminal && strcmp(terminal, "dumb") == 0);
}

static int run(struct cli *cli, int argc, char **argv)
{
    if (argc == 0) {
        print_help("");
        return CLI_USAGE;
    }
    bool help = false, version = false;
    const struct cli_option options[] = {{"help", 'h', NULL, &help, NULL},
                                         {"version", 'V', NULL, &version, NULL}};
    if (!cli_options_read(cli, options, STEER_ARRAY_LEN(options), true, &argc, argv))
        return CLI_USAGE;
    if (version) {
        puts("steerctl " STEER_VERSION);
        return CLI_OK;
    }
    bool word_help = argc && strcmp(argv[0], "help") == 0;
    if (argc && (help || word_help)) {
        argc -= word_help;
        argv += word_help;
        char name[128];
        snprintf(name, sizeof name, "%s%s%s", argc ? argv[0] : "", argc > 1 ? " " : "",
                 argc > 1 ? argv[1] : "");
        const struct command *command = find(name);
        return command ? print_command_help(command)
                       : print_help(argc && is_group(argv[0]) ? argv[0] : "");
    }
    if (help)
        return print_help("");
    if (argc == 0)
        return cli_usage(cli, "a command is missing");
    return dispatch(cli, argc, argv);
}

int cli_run(int argc, char **argv)
{
    setlocale(LC_CTYPE, "");
    const char *url = getenv("STEERCTL_URL");
    struct cli cli = {
        .url = url && *url ? url : "http://127.0.0.1:8053",
        .colour_out = takes_colour(STDOUT_FILENO),
        .colour_err = takes_colour(STDERR_FILENO),
        .utf8 = strcmp(nl_langinfo(CODESET), "UTF-8") == 0,
    };
    curl_global_init(CURL_GLOBAL_DEFAULT);
    int status = run(&cli, argc, argv);
    curl_global_cleanup();
    if (fflush(stdout) != 0 || ferror(stdout)) {
        perror("steerctl: cannot write to standard output");
        return status ? status : CLI_FAILED;
    }
    return status;
}

bool cli_on_terminal(void)
{
    return isatty(STDIN_FILENO) && isatty(STDOUT_FILENO);
}

bool cli_confirm(const char *question)
{
    char line[16];
    if (!cli_on_terminal())
        return false;
    printf("%s [y/N] ", question);
    fflush(stdout);
    return fgets(line, sizeof line, stdin) && (line[0] == 'y' || line[0] == 'Y');
}
