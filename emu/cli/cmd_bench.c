/* SPDX-License-Identifier: MIT */
/* denali bench: experiments at scale, one word each. */
#include "emu/cli/bench/bench.h"
#include "emu/cli/bench/bench_guests.h"
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

/* "0.9"; 0 is all alike. */
static bool take_alpha(const char *value, struct bench_options *o)
{
    char *end;
    o->alpha = strtod(value, &end);
    return end != value && !*end && o->alpha >= 0 && o->alpha <= 10;
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
    else if (!strcmp(name, "--seconds"))
        o->seconds = (unsigned)n;
    else
        return false;
    return true;
}

/* FILE, or FILE,SIZE; the comma becomes the file's end. */
static bool take_swap(char *value, struct bench_options *o)
{
    char *comma = strrchr(value, ',');
    uint64_t bytes = comma ? number(comma + 1) : 0;
    if (bytes)
        *comma = 0;
    o->swap_path = value;
    o->swap_bytes = bytes;
    return *value != 0;
}

/* The first word that is wrong, or NULL. */
static const char *parse(int argc, char **argv, struct bench_options *o)
{
    for (int i = 0; i < argc; i++) {
        if (!strcmp(argv[i], "--json"))
            o->json = true;
        else if (!strcmp(argv[i], "--httpd") && i + 1 < argc)
            o->httpd = argv[++i];
        else if (!strcmp(argv[i], "--svg") && i + 1 < argc)
            o->svg = argv[++i];
        else if (!strcmp(argv[i], "--swap") && i + 1 < argc && take_swap(argv[i + 1], o))
            i++;
        else if (!strcmp(argv[i], "--alpha") && i + 1 < argc && take_alpha(argv[i + 1], o))
            i++;
        else if (i + 1 < argc && take_number(argv[i], argv[i + 1], o))
            i++;
        else
            return argv[i];
    }
    return NULL;
}

/* `vms`, `seconds`: unless the command line says. */
static const struct experiment {
    const char *name;
    int (*run)(const struct bench_options *options, struct why *why);
    uint32_t vms;
    unsigned seconds;
} experiments[] = {
    {"alive", bench_alive, 1000, 0},
    {"zipf", bench_zipf, 1000, 10},
    {"cliff", bench_cliff, 50000, 5},
    {"switch", bench_switch, 1024, 0},
    {"create", bench_create, 100000, 0},
    {"packet", bench_packet, 1, 0},
    {"tcp", bench_tcp, 1, 6},
    {"http", bench_http, 1, 10},
    {"interrupts", bench_interrupts, 800, 4},
    {"idle", bench_idle, 800, 4},
    {"game", bench_game, 128, 4},
    {"hostile", bench_hostile, 4, 3},
    {"soak", bench_soak, 300, 60},
};

static const struct experiment *find_experiment(const char *name)
{
    for (unsigned i = 0; i < ARRAY_LEN(experiments); i++) {
        if (name && !strcmp(name, experiments[i].name))
            return &experiments[i];
    }
    return NULL;
}

static int run_bench(int argc, char **argv)
{
    char path[PATH_MAX];
    struct why why = {""};
    struct bench_options o = {
        .sample = 10000, .max_windows = 16000, .memory_bytes = 4 * GIB, .workers = 2, .alpha = 1};
    const struct experiment *e = find_experiment(argc < 2 ? NULL : argv[1]);
    if (!e)
        return cli_complain(
            CLI_FAILED,
            "say which experiment: alive, zipf, cliff, switch, create, packet, tcp, http, "
            "interrupts, idle, game, hostile or soak; see denali help bench");
    const char *wrong = parse(argc - 2, argv + 2, &o);
    if (wrong)
        return cli_complain(CLI_FAILED, "bench %s: %s: not an option, or not a good value", e->name,
                            wrong);
    if (!o.httpd)
        o.httpd = bench_find("httpd", path, sizeof(path));
    if (!o.vms)
        o.vms = e->vms;
    if (!o.seconds)
        o.seconds = e->seconds;
    int err = e->run(&o, &why);
    if (err < 0)
        return cli_complain(CLI_FAILED, "%s", why.text);
    return err ? cli_complain(CLI_FAILED, "not every VM that was asked gave the right answer")
               : CLI_OK;
}

const struct cli_verb cli_bench = {
    .name = "bench",
    .summary = "experiments with many virtual machines",
    .help =
        "usage: denali bench EXPERIMENT [options]\n"
        "\n"
        "Each of the paper's experiments, and some that it lacks, as one command: figures and\n"
        "curves as text, as one JSON object, and as a picture. docs/EVALUATION.md sets them\n"
        "beside the paper's.\n"
        "\n"
        "Many clones of one web server, each with an address and a name of its own, asked\n"
        "through the switch that joins them; an answer must be whole and name its VM:\n"
        "  alive       each is asked once: how fast they are made, what memory they cost idle\n"
        "              and parked, how soon a parked one answers\n"
        "  zipf        for some seconds the VM of rank r is asked in proportion to 1 / r^A,\n"
        "              while the memory holds but some: requests per second, latencies\n"
        "  soak        VMs that check their memory are made, cloned, saved, paused, parked and\n"
        "              killed at random while web servers are asked; memory must be what it was\n"
        "  interrupts  in batches, against a switch to the VM for each; by number of VMs\n"
        "  idle        with the next timer as timeout, against spinning until it is due\n"
        "\n"
        "  switch      from VM to VM, with nothing touched between and with 128 KiB walked\n"
        "  create      how fast clones are made and removed, and what bytes one takes\n"
        "  packet      what a frame costs in kernel, driver, guest; one-instruction NIC against\n"
        "              an emulated one\n"
        "  game        UDP game servers, four players each, with a tick each 100 ms and without\n"
        "  tcp, http   the same web server as a process of this host and in a VM behind NAT:\n"
        "              bulk transfer; requests by document size\n"
        "\n"
        "      --vms N         how many (at most, where the experiment goes up to it)\n"
        "      --seconds S     how long each point is measured\n"
        "      --alpha A       zipf: the exponent (default 1; 0: all alike)\n"
        "      --sample N      alive: ask at most so many of them (default 10000)\n"
        "      --memory SIZE   for this process, all in all (default 4G)\n"
        "      --swap FILE[,SIZE]  parked VMs go there when memory is short\n"
        "      --windows N     at most so many are not parked (default 16000)\n"
        "      --workers N     threads that run VMs (default 2)\n"
        "      --httpd FILE    another build of guests/httpd\n"
        "      --json          one JSON object on stdout\n"
        "      --svg FILE      the curves as a picture\n"
        "\n"
        "Exit status: 0 all that were asked answered rightly, 125 otherwise.\n",
    .run = run_bench,
};
