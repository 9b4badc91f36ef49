/* SPDX-License-Identifier: MIT */
/*
 * The console of a VM that nobody may be looking at: what it prints goes to a
 * log file that keeps its last part, and to whoever is attached; what those type
 * waits until the guest takes it. It never holds the VM up: a viewer that does
 * not keep up loses output, and is told so.
 *
 * An attached client speaks frames over its socket, each a letter and a length
 * in three bytes, little end first (docs/HOST.md, "Consoles").
 */
#ifndef DENALI_HOST_HUB_H
#define DENALI_HOST_HUB_H

#include "devices/console.h"

#include <poll.h>

#define HUB_INPUT_MAX 65536u
#define HUB_LOG_KEPT (2u << 20)

enum hub_frame {
    HUB_OUTPUT = 'o', /* to the client: bytes of the standard output, of the error stream */
    HUB_ERROR = 'e',
    HUB_MODE = 'm',   /* to the client: enum console_mode, 4 bytes */
    HUB_LOST = 'l',   /* to the client: so many bytes did not reach it, 4 bytes */
    HUB_END = 'x',    /* to the client: the VM has ended; JSON */
    HUB_INPUT = 'i',  /* from the client: bytes */
    HUB_SIZE = 's',   /* from the client: columns, rows, 2 bytes each */
    HUB_SIGNAL = 'g', /* from the client: enum denali_signal, 4 bytes */
};

struct hub;

struct hub_config {
    const char *log; /* a path, copied; NULL: none */
    bool tty;        /* the guest finds a terminal */
    /* From any thread, not inside the hub. Input, or another size, waits for the guest; a person's
     * signals; there is something for hub_poll. */
    void (*input)(void *opaque);
    void (*signal)(void *opaque, uint32_t signals);
    void (*rearm)(void *opaque);
    void *opaque;
};

MUST_CHECK int hub_create(const struct hub_config *config, struct hub **out);
/* Closes all clients. NULL is harmless. */
void hub_destroy(struct hub *hub);
struct console_backend *hub_backend(struct hub *hub);

/* Bytes taken: fewer if the guest takes none. */
size_t hub_type(struct hub *hub, const void *bytes, size_t len);

/* A client on a socket, which becomes the hub's; `token` names it. -ENOMEM, -EBUSY: too many. */
#define HUB_CLIENTS_MAX 8u
MUST_CHECK int hub_attach(struct hub *hub, int fd, uint64_t token);
/* Tells the clients, who are closed when they have heard it. */
void hub_end(struct hub *hub, const char *json);

/* What to poll for the clients; and what came of it. `gone` gets the tokens of those that left
 * (HUB_CLIENTS_MAX at most); their number. */
unsigned hub_poll(struct hub *hub, struct pollfd fds[HUB_CLIENTS_MAX]);
unsigned hub_ready(struct hub *hub, const struct pollfd *fds, unsigned count,
                   uint64_t gone[HUB_CLIENTS_MAX]);
bool hub_has_clients(struct hub *hub);
/* Closes them, whatever they have not heard; `gone` as above. */
unsigned hub_detach_all(struct hub *hub, uint64_t gone[HUB_CLIENTS_MAX]);

#endif
