/* SPDX-License-Identifier: MIT */
/* Who is attached to a hosted console. Their frames are hostile until read; a frame that is none
 * ends the client. */
#include "denali/host/hub_private.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

void hub_client_free(struct hub_client *client)
{
    if (!client)
        return;
    close(client->fd);
    free(client->out);
    free(client);
}

/* False: the client is gone. */
static bool flush(struct hub_client *c)
{
    while (c->out_at < c->out_len) {
        ssize_t n =
            send(c->fd, c->out + c->out_at, c->out_len - c->out_at, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return errno == EAGAIN;
        c->out_at += (size_t)n;
        if (c->last != SIZE_MAX && c->out_at > c->last)
            c->last = SIZE_MAX;
    }
    c->out_at = c->out_len = 0;
    c->last = SIZE_MAX;
    return true;
}

static bool make_room(struct hub_client *c, size_t len)
{
    if (c->out_at) {
        memmove(c->out, c->out + c->out_at, c->out_len - c->out_at);
        c->out_len -= c->out_at;
        c->last -= c->last != SIZE_MAX ? c->out_at : 0;
        c->out_at = 0;
    }
    if (c->out_len + len <= c->out_room)
        return true;
    size_t room = c->out_room ? c->out_room : 4096;
    while (room < c->out_len + len)
        room *= 2;
    uint8_t *bigger = realloc(c->out, room);
    if (!bigger)
        return false;
    c->out = bigger;
    c->out_room = room;
    return true;
}

static uint32_t word(const uint8_t *bytes, size_t len)
{
    uint32_t value = 0;
    for (size_t i = 0; i < len; i++)
        value |= (uint32_t)bytes[i] << 8 * i;
    return value;
}

static void set_head(uint8_t *head, enum hub_frame kind, size_t len)
{
    head[0] = (uint8_t)kind;
    for (unsigned i = 0; i < 3; i++)
        head[1 + i] = (uint8_t)(len >> 8 * i);
}

/* More of the same behind a frame that waits: a guest that prints byte by byte makes few frames. */
static bool join_last(struct hub_client *c, enum hub_frame kind, const void *bytes, size_t len)
{
    if (c->last == SIZE_MAX || !make_room(c, len) || c->out[c->last] != kind)
        return false;
    size_t whole = word(c->out + c->last + 1, 3) + len;
    if (whole > HUB_JOINED_MAX)
        return false;
    memcpy(c->out + c->out_len, bytes, len);
    c->out_len += len;
    set_head(c->out + c->last, kind, whole);
    return true;
}

static void put_frame(struct hub_client *c, enum hub_frame kind, const void *bytes, size_t len)
{
    bool joins = kind == HUB_OUTPUT || kind == HUB_ERROR;
    if ((joins && join_last(c, kind, bytes, len)) || !make_room(c, HUB_HEAD + len))
        return;
    c->last = c->out_len;
    set_head(c->out + c->out_len, kind, len);
    memcpy(c->out + c->out_len + HUB_HEAD, bytes, len);
    c->out_len += HUB_HEAD + len;
}

void hub_tell_one(struct hub_client *c, enum hub_frame kind, const void *bytes, size_t len)
{
    if (c->ending)
        return;
    if (c->out_len - c->out_at + len > HUB_UNSENT_MAX && kind != HUB_END) {
        c->lost += (uint32_t)len;
        return;
    }
    if (c->lost) {
        uint32_t lost = c->lost;
        c->lost = 0;
        put_frame(c, HUB_LOST, &lost, sizeof(lost));
    }
    put_frame(c, kind, bytes, len);
    if (!flush(c))
        shutdown(c->fd, SHUT_RDWR); /* hub_ready finds it gone */
}

void hub_tell(struct hub *hub, enum hub_frame kind, const void *bytes, size_t len)
{
    for (unsigned i = 0; i < HUB_CLIENTS_MAX; i++) {
        if (hub->client[i])
            hub_tell_one(hub->client[i], kind, bytes, len);
    }
}

bool hub_has_unsent(const struct hub *hub)
{
    for (unsigned i = 0; i < HUB_CLIENTS_MAX; i++) {
        if (hub->client[i] && hub->client[i]->out_len)
            return true;
    }
    return false;
}

unsigned hub_detach_all(struct hub *hub, uint64_t gone[HUB_CLIENTS_MAX])
{
    unsigned n = 0;
    host_lock_enter(&hub->lock);
    for (unsigned i = 0; i < HUB_CLIENTS_MAX; i++) {
        if (!hub->client[i])
            continue;
        gone[n++] = hub->client[i]->token;
        hub_client_free(hub->client[i]);
        hub->client[i] = NULL;
    }
    host_lock_leave(&hub->lock);
    return n;
}

bool hub_has_clients(struct hub *hub)
{
    bool any = false;
    host_lock_enter(&hub->lock);
    for (unsigned i = 0; i < HUB_CLIENTS_MAX; i++)
        any = any || hub->client[i];
    host_lock_leave(&hub->lock);
    return any;
}

static struct hub_client *new_client(int fd, uint64_t token)
{
    struct hub_client *c = calloc(1, sizeof(*c));
    if (!c)
        return NULL;
    c->fd = fd;
    c->token = token;
    c->last = SIZE_MAX;
    fcntl(fd, F_SETFL, O_NONBLOCK);
    return c;
}

int hub_attach(struct hub *hub, int fd, uint64_t token)
{
    int err = -EBUSY;
    host_lock_enter(&hub->lock);
    for (unsigned i = 0; err == -EBUSY && i < HUB_CLIENTS_MAX; i++) {
        if (hub->client[i])
            continue;
        uint32_t mode = hub->mode;
        hub->client[i] = new_client(fd, token);
        err = hub->client[i] ? 0 : -ENOMEM;
        if (!err && hub->config.tty)
            hub_tell_one(hub->client[i], HUB_MODE, &mode, sizeof(mode));
    }
    host_lock_leave(&hub->lock);
    return err;
}

void hub_end(struct hub *hub, const char *json)
{
    host_lock_enter(&hub->lock);
    hub_tell(hub, HUB_END, json, strlen(json));
    for (unsigned i = 0; i < HUB_CLIENTS_MAX; i++) {
        if (hub->client[i])
            hub->client[i]->ending = true;
    }
    hub->ended = true;
    host_lock_leave(&hub->lock);
}

unsigned hub_poll(struct hub *hub, struct pollfd fds[HUB_CLIENTS_MAX])
{
    host_lock_enter(&hub->lock);
    for (unsigned i = 0; i < HUB_CLIENTS_MAX; i++) {
        const struct hub_client *c = hub->client[i];
        /* Who types faster than the guest reads waits. */
        short in = hub->input_len < HUB_INPUT_MAX - HUB_FRAME_MAX ? POLLIN : 0;
        fds[i].fd = c ? c->fd : -1;
        fds[i].revents = 0;
        fds[i].events = (short)(in | (c && (c->out_len || c->ending) ? POLLOUT : 0));
    }
    host_lock_leave(&hub->lock);
    return HUB_CLIENTS_MAX;
}

struct news {
    bool input;
    uint32_t signals;
};

/* A whole frame of a client. False: it is none. */
static bool take_frame(struct hub *hub, const uint8_t *frame, size_t len, struct news *news)
{
    switch (frame[0]) {
    case HUB_INPUT:
        hub_put_input(hub, frame + HUB_HEAD, len);
        news->input = true;
        return true;
    case HUB_SIZE:
        if (len != 4)
            return false;
        hub->columns = word(frame + HUB_HEAD, 2);
        hub->rows = word(frame + HUB_HEAD + 2, 2);
        return true;
    case HUB_SIGNAL:
        if (len == 4)
            news->signals |= word(frame + HUB_HEAD, 4);
        return len == 4;
    default:
        return false;
    }
}

/* All whole frames of what has come. False: nonsense. */
static bool take_frames(struct hub *hub, struct hub_client *c, struct news *news)
{
    size_t at = 0;
    while (c->in_len - at >= HUB_HEAD) {
        size_t len = word(c->in + at + 1, 3);
        if (len > HUB_FRAME_MAX)
            return false;
        if (c->in_len - at < HUB_HEAD + len)
            break;
        if (!take_frame(hub, c->in + at, len, news))
            return false;
        at += HUB_HEAD + len;
    }
    memmove(c->in, c->in + at, c->in_len - at);
    c->in_len -= at;
    return true;
}

/* False: the client is gone. */
static bool receive(struct hub *hub, struct hub_client *c, struct news *news)
{
    ssize_t n = recv(c->fd, c->in + c->in_len, sizeof(c->in) - c->in_len, MSG_DONTWAIT);
    if (n < 0)
        return errno == EAGAIN || errno == EINTR;
    if (n == 0)
        return false;
    c->in_len += (size_t)n;
    return take_frames(hub, c, news);
}

static bool serve(struct hub *hub, struct hub_client *c, short revents, struct news *news)
{
    if (!flush(c))
        return false;
    if (c->ending && !c->out_len)
        return false;
    return !(revents & ~POLLOUT) || receive(hub, c, news);
}

unsigned hub_ready(struct hub *hub, const struct pollfd *fds, unsigned count,
                   uint64_t gone[HUB_CLIENTS_MAX])
{
    struct news news = {false, 0};
    unsigned n = 0;
    host_lock_enter(&hub->lock);
    for (unsigned i = 0; i < count; i++) {
        struct hub_client *c = hub->client[i];
        if (!c || c->fd != fds[i].fd || !fds[i].revents || serve(hub, c, fds[i].revents, &news))
            continue;
        gone[n++] = c->token;
        hub_client_free(c);
        hub->client[i] = NULL;
    }
    host_lock_leave(&hub->lock);
    if (news.input)
        hub->config.input(hub->config.opaque);
    if (news.signals)
        hub->config.signal(hub->config.opaque, news.signals);
    return n;
}
