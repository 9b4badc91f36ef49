/* SPDX-License-Identifier: MIT */
/* denali bench: experiments at scale, one word each. */
#include "emu/cli/bench.h"
#include "emu/cli/cli.h"

#include "config.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MAX_VMS 10000000u

/* "10000", "512M", "24G"; 0: it is none. */
static uint64_t number(const char *text)
{
    static const char units[] = "KMG";
    char *end;
    errno = 0;
    unsigned long long value = strtoull(text, &end, 10);
    const char *unit = *end ? strchr(units, *end) : NULL;
    if (errno || end == text || *text == '-' || (*end && (!unit || end[1])))
        return 0;
    unsigned shift = unit ? 10 * (unsigned)(unit - units + 1) : 0;
    return value <= UINT64_MAX >> shift ? (uint64_t)value << shift : 0;
}

static bool take_number(const char *name, const char *value, struct bench_options *o)
{
    uint64_t n = number(value);
    if (!n)
        return false;
    if (!strcmp(name, "--memory")) {
        o->memory_bytes = n;
        return true;
    }
    if (n > MAX_VMS)
        return false;
    if (!strcmp(name, "--vms"))
        o->vms = (uint32_t)n;
    else if (!strcmp(name, "--sample"))
        o->sample = (uint32_t)n;
    else if (!strcmp(name, "--windows"))
        o->max_windows = (uint32_t)n;
    else if (!strcmp(name, "--workers"))
        o->workers = (unsigned)n;
    else
        return false;
    return true;
}

/* The first word that is wrong, or NULL. */
static const char *parse(int argc, char **argv, struct bench_options *o)
{
    for (int i = 0; i < argc; i++) {
        if (!strcmp(argv[i], "--json"))
            o->json = true;
        else if (!strcmp(argv[i], "--httpd") && i + 1 < argc)
            o->httpd = argv[++i];
        else if (i + 1 < argc && take_number(argv[i], argv[i + 1], o))
            i++;
        else
            return argv[i];
    }
    return NULL;
}

/* The web server lies beside this program, or where it was installed. */
static const char *find_httpd(char path[PATH_MAX])
{
    ssize_t n = readlink("/proc/self/exe", path, PATH_MAX - 32);
    char *slash = n > 0 ? (path[n] = 0, strrchr(path, '/')) : NULL;
    if (slash) {
        strcpy(slash + 1, "guests/httpd");
        if (!access(path, R_OK))
            return path;
    }
    return DENALI_LIBDIR "/httpd";
}

static int run_bench(int argc, char **argv)
{
    char path[PATH_MAX];
    struct why why = {""};
    struct bench_options o = {
        .vms = 1000, .sample = 10000, .max_windows = 2000, .memory_bytes = 4 * GIB, .workers = 2};
    if (argc < 2 || strcmp(argv[1], "alive"))
        return cli_complain(CLI_FAILED, "say which experiment: alive; see denali help bench");
    const char *wrong = parse(argc - 2, argv + 2, &o);
    if (wrong)
        return cli_complain(CLI_FAILED, "bench alive: %s: not an option, or not a good value",
                            wrong);
    if (!o.httpd)
        o.httpd = find_httpd(path);
    int err = bench_alive(&o, &why);
    if (err < 0)
        return cli_complain(CLI_FAILED, "%s", why.text);
    return err ? cli_complain(CLI_FAILED, "not every VM that was asked gave the right answer")
               : CLI_OK;
}

const struct cli_verb cli_bench = {
    .name = "bench",
    .summary = "experiments with many virtual machines",
    .help = "usage: denali bench alive [options]\n"
            "\n"
            "Boots one web server under Ilwaco, takes a snapshot of it when it listens, makes\n"
            "clones, each with an address and a name of its own, and asks each for a document\n"
            "through the switch that joins them. An answer must be whole and name its VM.\n"
            "\n"
            "      --vms N         how many clones (default 1000)\n"
            "      --sample N      ask at most so many of them (default 10000)\n"
            "      --memory SIZE   for VMs that are not parked (default 4G)\n"
            "      --windows N     at most so many are not parked (default 2000)\n"
            "      --workers N     threads that run VMs (default 2)\n"
            "      --httpd FILE    another build of guests/httpd\n"
            "      --json          one JSON object on stdout\n"
            "\n"
            "Exit status: 0 all that were asked answered rightly, 125 otherwise.\n",
    .run = run_bench,
};
