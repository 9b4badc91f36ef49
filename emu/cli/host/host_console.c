/* SPDX-License-Identifier: MIT */
/*
 * denali console: this terminal becomes the VM's. The guest says how its terminal
 * behaves (lines, echo), and ours is set so; Ctrl-] leaves. The terminal's
 * settings are put back on every way out.
 */
#include "denali/abi.h"
#include "denali/host/hub.h"
#include "emu/base/host.h"
#include "emu/base/host_thread.h"
#include "emu/cli/host/host_client.h"
#include "emu/cli/host/host_logs.h"
#include "emu/cli/host/host_verbs.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <termios.h>
#include <unistd.h>

#define LEAVE 0x1d /* Ctrl-] */
#define HEAD 4u
#define IN_ROOM (1u << 18)
#define TYPE_MAX 1024u

struct console {
    int fd, signals;
    bool tty, changed, quiet, json;
    bool input_ended, over;
    int status;
    struct termios found;
    uint64_t end_ns;
    size_t in_len;
    uint8_t in[IN_ROOM];
};

/* The terminal. */

static void put_back(struct console *c)
{
    if (c->changed)
        tcsetattr(0, TCSANOW, &c->found);
    c->changed = false;
}

/* Ctrl-] ends a line where there are lines, so that it is seen at once. */
static void set_mode(struct console *c, unsigned mode)
{
    struct termios t = c->found;
    if (!c->tty)
        return;
    t.c_cc[VEOL] = LEAVE;
    if (!(mode & CONSOLE_LINES)) {
        t.c_lflag &= ~(tcflag_t)(ICANON | IEXTEN);
        t.c_cc[VMIN] = 1;
        t.c_cc[VTIME] = 0;
    }
    if (!(mode & CONSOLE_ECHO))
        t.c_lflag &= ~(tcflag_t)(ECHO | ECHONL);
    if (!(mode & CONSOLE_SIGNALS))
        t.c_lflag &= ~(tcflag_t)ISIG;
    if (!(mode & CONSOLE_CR_IN))
        t.c_iflag &= ~(tcflag_t)(ICRNL | INLCR | IGNCR);
    if (!(mode & CONSOLE_NL_OUT))
        t.c_oflag &= ~(tcflag_t)OPOST;
    if (!(mode & CONSOLE_FLOW))
        t.c_iflag &= ~(tcflag_t)(IXON | IXOFF);
    c->changed = true;
    tcsetattr(0, TCSANOW, &t);
}

/* Frames. */

static void send_frame(struct console *c, enum hub_frame kind, const void *bytes, size_t len)
{
    uint8_t frame[HEAD + TYPE_MAX] = {(uint8_t)kind, (uint8_t)len, (uint8_t)(len >> 8), 0};
    memcpy(frame + HEAD, bytes, len);
    if (send(c->fd, frame, HEAD + len, MSG_NOSIGNAL) < 0)
        c->over = true;
}

static void send_size(struct console *c)
{
    struct winsize ws;
    if (ioctl(1, TIOCGWINSZ, &ws))
        return;
    const uint8_t size[4] = {(uint8_t)ws.ws_col, (uint8_t)(ws.ws_col >> 8), (uint8_t)ws.ws_row,
                             (uint8_t)(ws.ws_row >> 8)};
    send_frame(c, HUB_SIZE, size, sizeof(size));
}

static uint32_t word(const uint8_t *bytes)
{
    return bytes[0] | (uint32_t)bytes[1] << 8 | (uint32_t)bytes[2] << 16 | (uint32_t)bytes[3] << 24;
}

/* Whoever reads our output may leave; then we do, too. */
static void write_all(struct console *c, int fd, const uint8_t *bytes, size_t len)
{
    while (len && !c->over) {
        ssize_t n = write(fd, bytes, len);
        if (n < 0 && errno != EINTR && errno != EAGAIN)
            c->over = true;
        bytes += n > 0 ? n : 0;
        len -= n > 0 ? (size_t)n : 0;
    }
}

static void take_end(struct console *c, const uint8_t *bytes, size_t len)
{
    json_t *end = json_loadb((const char *)bytes, len, 0, NULL);
    c->over = true;
    c->status = (int)host_integer(end, "status");
    put_back(c);
    if (c->json)
        host_print_json(end);
    else
        fprintf(stderr, "denali: the VM has ended: %s, status %d\n%s", host_text(end, "reason"),
                c->status, host_text(end, "message"));
    json_decref(end);
}

static void take_frame(struct console *c, int kind, const uint8_t *bytes, size_t len)
{
    if (kind == HUB_OUTPUT)
        write_all(c, 1, bytes, len);
    else if (kind == HUB_ERROR)
        write_all(c, c->tty ? 1 : 2, bytes, len);
    else if (kind == HUB_MODE && len == 4)
        set_mode(c, word(bytes));
    else if (kind == HUB_LOST && len == 4)
        fprintf(stderr, "\r\n[%u bytes of output were lost on the way; see denali logs]\r\n",
                word(bytes));
    else if (kind == HUB_END)
        take_end(c, bytes, len);
}

static void take_frames(struct console *c)
{
    size_t at = 0;
    while (c->in_len - at >= HEAD && !c->over) {
        size_t len = c->in[at + 1] | (size_t)c->in[at + 2] << 8 | (size_t)c->in[at + 3] << 16;
        if (HEAD + len > IN_ROOM)
            c->over = true;
        if (c->over || c->in_len - at < HEAD + len)
            break;
        take_frame(c, c->in[at], c->in + at + HEAD, len);
        at += HEAD + len;
    }
    memmove(c->in, c->in + at, c->in_len - at);
    c->in_len -= at;
}

/* Events. */

static void hear(struct console *c)
{
    ssize_t n = read(c->fd, c->in + c->in_len, IN_ROOM - c->in_len);
    if (n <= 0 && !(n < 0 && errno == EINTR)) {
        c->over = true;
        c->status = cli_complain(CLI_FAILED, "the console is gone: the VM's worker or the daemon "
                                             "has ended");
        return;
    }
    c->in_len += n > 0 ? (size_t)n : 0;
    take_frames(c);
}

static void type(struct console *c)
{
    uint8_t bytes[TYPE_MAX];
    ssize_t n = read(0, bytes, sizeof(bytes));
    if (n <= 0) {
        c->input_ended = true;
        if (c->tty) /* Ctrl-D on an empty line: the guest's to hear */
            send_frame(c, HUB_INPUT, "\004", 1), c->input_ended = false;
        return;
    }
    const uint8_t *leave = c->tty ? memchr(bytes, LEAVE, (size_t)n) : NULL;
    size_t len = leave ? (size_t)(leave - bytes) : (size_t)n;
    if (len)
        send_frame(c, HUB_INPUT, bytes, len);
    if (leave)
        c->over = true;
}

static void take_signal(struct console *c, int number)
{
    uint32_t bit = number == SIGINT    ? DENALI_SIGNAL_INTERRUPT
                   : number == SIGQUIT ? DENALI_SIGNAL_QUIT
                                       : 0;
    const uint8_t bytes[4] = {(uint8_t)bit, 0, 0, 0};
    if (number == SIGWINCH) {
        send_size(c);
    } else if (c->tty && bit) {
        send_frame(c, HUB_SIGNAL, bytes, sizeof(bytes));
    } else if (number != SIGCONT && number != SIGTSTP) {
        c->over = true; /* the VM goes on */
        c->status = 128 + number;
    }
}

static void turn(struct console *c)
{
    struct pollfd fds[3] = {{.fd = c->fd, .events = POLLIN},
                            {.fd = c->input_ended ? -1 : 0, .events = POLLIN},
                            {.fd = c->signals, .events = POLLIN}};
    uint64_t now = host_monotonic_ns(), wait = c->end_ns > now ? c->end_ns - now : 0;
    int number;
    if (!host_poll(fds, 3, c->end_ns == HOST_FOREVER ? HOST_FOREVER : wait)) {
        c->over = true;
        c->status = CLI_TIMEOUT;
    }
    if (fds[0].revents)
        hear(c);
    if (fds[1].revents && !c->over)
        type(c);
    while (fds[2].revents && (number = host_signals_next(c->signals)) > 0)
        take_signal(c, number);
}

static int attach(const struct host_args *args, const char *vm, uint64_t end_ns)
{
    struct why why = {""};
    struct console *c = calloc(1, sizeof(*c));
    char *path = host_path("/v1/vms/%s/console", vm, NULL);
    if (!c || !path) {
        free(c);
        free(path);
        return cli_complain(CLI_FAILED, "no memory");
    }
    c->fd = host_upgrade(args, path, (char *)c->in, &c->in_len, &why);
    free(path);
    if (c->fd < 0) {
        int status =
            c->fd == -ECONNREFUSED && strncmp(why.text, "no daemon", 9) ? HOST_REFUSED : CLI_FAILED;
        free(c);
        return cli_complain(status, "%s", why.text);
    }
    c->end_ns = end_ns;
    c->json = args->json;
    c->signals = host_signals_open();
    c->tty = isatty(0) && isatty(1) && tcgetattr(0, &c->found) == 0;
    if (c->tty)
        fputs("denali: attached; Ctrl-] leaves\n", stderr);
    send_size(c);
    take_frames(c);
    while (!c->over)
        turn(c);
    put_back(c);
    close(c->fd);
    int status = c->status;
    free(c);
    return status;
}

static int run_console(int argc, char **argv)
{
    struct host_args args;
    bool log = false;
    const char *timeout = NULL;
    const struct host_option options[] = {{"log", 0, NULL, &log}, {"timeout", 0, &timeout, NULL}};
    unsigned long seconds = 0;
    int status;
    if (!host_args_take(&cli_console, argc, argv, options, 2, 1, 1, &args, &status))
        return status;
    if (timeout && !host_number(timeout, "--timeout", 1u << 30, &seconds))
        return CLI_FAILED;
    if (log)
        return host_show_logs(&args, args.word[0], false);
    return attach(&args, args.word[0],
                  timeout ? host_monotonic_ns() + seconds * 1000000000u : HOST_FOREVER);
}

const struct cli_verb cli_console = {
    .name = "console",
    .summary = "attach this terminal to a VM",
    .help = "usage: denali console [options] VM\n"
            "\n"
            "What the VM prints from now on comes here, and what is typed goes there; Ctrl-C and\n"
            "Ctrl-\\ are the guest's to hear. Ctrl-] leaves, and the VM goes on. Without a\n"
            "terminal the standard input is typed, and output comes until the VM has ended.\n"
            "\n"
            "      --log               prints what was printed so far instead (denali logs)\n"
            "      --timeout SECONDS   leaves after that time\n"
            "      --socket PATH       of the daemon\n"
            "      --json              tells the VM's end as JSON\n"
            "\n"
            "Exit status: 0 left; the VM's own if it ended meanwhile; 1 the daemon refused (says\n"
            "why); 124 the time was up; 125 the command line is wrong, there is no daemon, or it\n"
            "went away.\n",
    .run = run_console,
};
