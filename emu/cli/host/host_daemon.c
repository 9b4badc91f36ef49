/* SPDX-License-Identifier: MIT */
/* denali host: becomes the daemon, which is a program of its own; or, for the daemon, a worker. */
#include "config.h"
#include "denali/host/place.h"
#include "emu/cli/cli.h"
#include "emu/cli/host/host_bridge.h"
#include "emu/cli/host/host_verbs.h"
#include "emu/cli/host/host_wiring.h"
#include "emu/cli/run/run_sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LISTEN_FD 3

static unsigned long number(char **argv, int argc, const char *name, unsigned long otherwise)
{
    for (int i = 1; i + 1 < argc; i++) {
        if (!strcmp(argv[i], name))
            return strtoul(argv[i + 1], NULL, 10);
    }
    return otherwise;
}

static bool flag(char **argv, int argc, const char *name)
{
    for (int i = 1; i < argc; i++) {
        if (!strcmp(argv[i], name))
            return true;
    }
    return false;
}

static const char *text(char **argv, int argc, const char *name)
{
    for (int i = 1; i + 1 < argc; i++) {
        if (!strcmp(argv[i], name))
            return argv[i + 1];
    }
    return NULL;
}

/* The daemon's own words: they are not for people, and not checked as theirs are. */
static enum worker_verify verify_word(const char *word)
{
    if (!strcmp(word, "--verify"))
        return WORKER_VERIFY;
    return strcmp(word, "--no-verify") ? WORKER_VERIFY_IF_CAN : WORKER_VERIFY_NOT;
}

static int run_worker(int argc, char **argv)
{
    struct why why = {""};
    const struct worker_config config = {
        .index = (unsigned)number(argv, argc, "--worker", 0),
        .threads = (unsigned)number(argv, argc, "--threads", 1),
        .memory_bytes = number(argv, argc, "--memory", GIB),
        .orphan_ns = number(argv, argc, "--orphan", 30) * 1000000000u,
        .state = text(argv, argc, "--state"),
        .swap = text(argv, argc, "--swap"),
        .listener = LISTEN_FD,
        .verify = verify_word(argv[argc - 1]),
        .sync_interrupts = flag(argv, argc, "--sync-interrupts"),
        .wiring = &host_wiring,
    };
    if (!config.state)
        return cli_complain(CLI_FAILED, "--worker is the daemon's own option");
    fcntl(LISTEN_FD, F_SETFD, FD_CLOEXEC);   /* what it was given stays, nothing else */
    (void)run_sandbox_enter_with_programs(); /* threads and children that come later are inside, too
                                              */
    if (place_take_over(LISTEN_FD))
        return cli_complain(CLI_FAILED, "worker %u has no socket", config.index);
    if (worker_run(&config, &why))
        return cli_complain(CLI_FAILED, "worker %u: %s", config.index, why.text);
    return CLI_OK;
}

/* A worker's own words. */
static int run_bridge(int argc, char **argv)
{
    struct why why = {""};
    uint8_t mac[6];
    if (argc != 4 || sscanf(argv[3], "%2hhx%2hhx%2hhx%2hhx%2hhx%2hhx", &mac[0], &mac[1], &mac[2],
                            &mac[3], &mac[4], &mac[5]) != 6)
        return cli_complain(CLI_FAILED, "--bridge is the worker's own option");
    (void)run_sandbox_enter_bridge();
    if (host_bridge((uint32_t)strtoul(argv[2], NULL, 10), mac, &why))
        return cli_complain(CLI_FAILED, "%s", why.text);
    return CLI_OK;
}

static int daemon_program(char *path, size_t room)
{
    static const char name[] = "/denali-host";
    ssize_t len = readlink("/proc/self/exe", path, room - 1);
    char *slash = len > 0 ? (path[len] = 0, strrchr(path, '/')) : NULL;
    if (!slash || (size_t)(slash - path) + sizeof(name) > room)
        return -ENAMETOOLONG;
    strcpy(slash, name);
    if (!access(path, X_OK))
        return 0;
    return snprintf(path, room, "%s%s", DENALI_LIBDIR, name) < (int)room ? 0 : -ENAMETOOLONG;
}

static int run_host(int argc, char **argv)
{
    char path[PATH_MAX];
    if (argc > 1 && !strcmp(argv[1], "--worker"))
        return run_worker(argc, argv);
    if (argc > 1 && !strcmp(argv[1], "--bridge"))
        return run_bridge(argc, argv);
    if (argc > 1 && (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h"))) {
        fputs(cli_host.help, stdout);
        return CLI_OK;
    }
    int err = daemon_program(path, sizeof(path));
    (void)run_sandbox_enter_with_programs(); /* the daemon is born inside */
    if (!err)
        execv(path, argv);
    return cli_complain(CLI_FAILED, "cannot start %s: %s", path, strerror(errno));
}

const struct cli_verb cli_host = {
    .name = "host",
    .summary = "the daemon that runs many VMs, with an API on a socket",
    .help =
        "usage: denali host [options]\n"
        "\n"
        "Runs VMs in worker processes and serves the API (docs/HOST.md) on a UNIX socket\n"
        "that only you can reach; the verbs create, start, ps, ... ask it. In the foreground\n"
        "it logs on stderr; Ctrl-C or SIGTERM stops the VMs and ends it.\n"
        "\n"
        "      --config FILE   settings, as a JSON object: {\"workers\": 4, \"memory\": \"8G\"};\n"
        "                      options of the command line come before it\n"
        "      --socket PATH   (default $DENALI_HOST, $XDG_RUNTIME_DIR/denali/host.sock or\n"
        "                      /tmp/denali-UID/host.sock)\n"
        "      --state DIR     what must not be forgotten: VMs, snapshots, logs (default\n"
        "                      $XDG_STATE_HOME/denali or ~/.local/state/denali)\n"
        "      --workers N     processes that run VMs (default: one for each processor)\n"
        "      --threads N     threads of each (default: the same)\n"
        "      --memory SIZE   for all VMs together (default: three quarters of the host's)\n"
        "      --swap FILE     where idle VMs go when that is full\n"
        "      --grace SECONDS for a VM to end by itself when it is stopped (default 10)\n"
        "      --orphan SECONDS how long workers live when the daemon was killed; a new one\n"
        "                      finds them (default 30)\n"
        "      --verify, --no-verify   whether every translation is checked before it may run\n"
        "                      (default: where the Zydis library is there)\n"
        "      --sync-interrupts  whoever is told something gets a processor at once, for each\n"
        "                      interrupt, instead of all that have come when it is its turn\n"
        "      --detach        returns when the daemon is ready; it logs to STATE/host.log\n"
        "\n"
        "Exit status: 0 it ended as it was told; 125 it could not begin.\n"
        "\n"
        "  denali host --detach\n"
        "  denali create --name web -p 8080:80 --root site build/guests/httpd && denali start web\n"
        "  curl --unix-socket /tmp/denali-$(id -u)/host.sock http://x/v1/vms\n",
    .run = run_host,
};
