/* SPDX-License-Identifier: MIT */
/* hub.c: the backend and the log; hub_client.c: who is attached. */
#ifndef DENALI_HOST_HUB_PRIVATE_H
#define DENALI_HOST_HUB_PRIVATE_H

#include "denali/host/hub.h"
#include "emu/base/host_thread.h"

#define HUB_HEAD 4u
#define HUB_UNSENT_MAX (1u << 20)
#define HUB_FRAME_MAX 4096u
#define HUB_JOINED_MAX 65536u

struct hub_client {
    int fd; /* -1: free */
    uint64_t token;
    bool ending; /* closed when everything is sent */
    uint32_t lost;
    uint8_t *out; /* frames not sent yet; `out_at` is where the rest begins */
    size_t out_len, out_room, out_at;
    size_t last; /* where the last frame begins that nothing was sent of; SIZE_MAX: none */
    uint8_t in[HUB_HEAD + HUB_FRAME_MAX];
    size_t in_len;
};

struct hub {
    struct console_backend base;
    struct hub_config config;
    struct host_lock lock; /* all below */
    char *log;
    int log_fd;
    uint64_t log_size, punched;
    uint8_t *input; /* a ring, made when somebody types */
    size_t input_at, input_len;
    unsigned mode;
    unsigned columns, rows;
    bool ended;
    struct hub_client *client[HUB_CLIENTS_MAX];
};

/* All inside the lock. Puts a frame before every client; one that does not read loses it. */
void hub_tell(struct hub *hub, enum hub_frame kind, const void *bytes, size_t len);
void hub_tell_one(struct hub_client *client, enum hub_frame kind, const void *bytes, size_t len);
bool hub_has_unsent(const struct hub *hub);
void hub_client_free(struct hub_client *client);
size_t hub_put_input(struct hub *hub, const void *bytes, size_t len);

#endif
