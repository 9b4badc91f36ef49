/* SPDX-License-Identifier: MIT */
/*
 * A server as of a multiplayer game: players send their moves over UDP, the server
 * works out the world's next state every so often and sends each player an update.
 * An ordinary Linux program; `denali bench game` and `packet` run it in VMs.
 *
 *     gamed [-p PORT] [-t MS]     a tick every MS milliseconds (default 100); 0: each move is
 *                                 answered at once
 *     gamed -s                    only takes what comes
 *     gamed -f BYTES              sends datagrams of so many bytes to who speaks first, for ever
 *
 * A move is a player's stamp (8 bytes) and whatever follows. An update is the newest stamp
 * that was taken into account, the tick's number (4 bytes), and 388 bytes of world.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define PORT 27910
#define PLAYERS 64
#define BODIES 97
#define QUIET_MS 10000 /* a player who says nothing for so long has left */

struct update {
    uint64_t stamp;
    uint32_t tick;
    float body[BODIES];
};

struct player {
    struct sockaddr_in at;
    uint64_t stamp;
    int64_t heard_ms;
    int here;
};

struct game {
    int socket;
    struct update state;
    struct player player[PLAYERS];
};

static int64_t now_ms(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

static struct player *player_at(struct game *game, const struct sockaddr_in *at)
{
    struct player *free_one = NULL;
    for (int i = 0; i < PLAYERS; i++) {
        struct player *p = &game->player[i];
        if (p->here && p->at.sin_addr.s_addr == at->sin_addr.s_addr &&
            p->at.sin_port == at->sin_port)
            return p;
        if (!p->here && !free_one)
            free_one = p;
    }
    if (free_one)
        *free_one = (struct player){.at = *at, .here = 1};
    return free_one;
}

/* Bodies that pull at each other on a ring: work that a tick is made of. */
static void advance(struct update *u)
{
    for (int i = 0; i < BODIES; i++) {
        float left = u->body[(i + BODIES - 1) % BODIES], right = u->body[(i + 1) % BODIES];
        u->body[i] += 0.01f * (left + right - 2 * u->body[i]) + 0.001f;
    }
    u->tick++;
}

static void tell(struct game *game, struct player *p)
{
    game->state.stamp = p->stamp;
    sendto(game->socket, &game->state, sizeof(game->state), MSG_DONTWAIT, (struct sockaddr *)&p->at,
           sizeof(p->at));
}

static void take_moves(struct game *game, int at_once)
{
    char move[1500];
    struct sockaddr_in from;
    socklen_t len = sizeof(from);
    ssize_t n;
    while ((n = recvfrom(game->socket, move, sizeof(move), MSG_DONTWAIT, (struct sockaddr *)&from,
                         &len)) >= 0) {
        struct player *p = n >= 8 ? player_at(game, &from) : NULL;
        len = sizeof(from);
        if (!p)
            continue;
        memcpy(&p->stamp, move, 8);
        p->heard_ms = now_ms();
        if (at_once) {
            advance(&game->state);
            tell(game, p);
        }
    }
}

static void tick(struct game *game)
{
    int64_t now = now_ms();
    advance(&game->state);
    for (int i = 0; i < PLAYERS; i++) {
        struct player *p = &game->player[i];
        if (p->here && now - p->heard_ms > QUIET_MS)
            p->here = 0;
        if (p->here)
            tell(game, p);
    }
}

static int anybody(const struct game *game)
{
    for (int i = 0; i < PLAYERS; i++)
        if (game->player[i].here)
            return 1;
    return 0;
}

static void play(struct game *game, int pace_ms)
{
    int64_t next = now_ms() + pace_ms;
    for (;;) {
        struct pollfd fd = {.fd = game->socket, .events = POLLIN};
        int64_t left = next - now_ms();
        int idle = !pace_ms || !anybody(game);
        if (poll(&fd, 1, idle ? -1 : left > 0 ? (int)left : 0) > 0)
            take_moves(game, !pace_ms);
        if (!pace_ms)
            continue;
        if (idle)
            next = now_ms() + pace_ms;
        if (now_ms() >= next) {
            tick(game);
            next += pace_ms;
        }
    }
}

static void sink(int fd)
{
    char data[1500];
    for (;;)
        if (recv(fd, data, sizeof(data), 0) < 0 && errno != EINTR)
            return;
}

static void flood(int fd, size_t bytes)
{
    static char data[1472];
    struct sockaddr_in to;
    socklen_t len = sizeof(to);
    if (recvfrom(fd, data, sizeof(data), 0, (struct sockaddr *)&to, &len) < 0)
        return;
    for (;;)
        sendto(fd, data, bytes < sizeof(data) ? bytes : sizeof(data), 0, (struct sockaddr *)&to,
               len);
}

int main(int argc, char **argv)
{
    static struct game game;
    int option, port = PORT, pace_ms = 100, only_takes = 0, bytes = 0;
    while ((option = getopt(argc, argv, "p:t:sf:")) != -1) {
        switch (option) {
        case 'p':
            port = atoi(optarg);
            break;
        case 't':
            pace_ms = atoi(optarg);
            break;
        case 's':
            only_takes = 1;
            break;
        case 'f':
            bytes = atoi(optarg);
            break;
        default:
            fprintf(stderr, "usage: gamed [-p PORT] [-t MS] [-s] [-f BYTES]\n");
            return 2;
        }
    }
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    game.socket = socket(AF_INET, SOCK_DGRAM, 0);
    if (game.socket < 0 || bind(game.socket, (struct sockaddr *)&at, sizeof(at))) {
        perror("gamed");
        return 1;
    }
    if (only_takes)
        sink(game.socket);
    else if (bytes > 0)
        flood(game.socket, (size_t)bytes);
    else
        play(&game, pace_ms);
    return 1;
}
