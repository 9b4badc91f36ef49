/* SPDX-License-Identifier: MIT */
/*
 * The network of a guest under test: peers, each a script over TCP or UDP, on Ilwaco's own TCP/IP
 * compiled for the host. No host network is in it. Its clock is the guest's, so everything comes at
 * the same instructions always.
 */
#ifndef DENALI_TEST_NET_H
#define DENALI_TEST_NET_H

#include "devices/net.h"
#include "emu/test/outcome.h"

/* Where guests with a fixed address are: 10.0.2.15/24. */
#define TEST_NET_GUEST 0x0a00020fu
#define TEST_NET_PARAM "10.0.2.15/24,10.0.2.2,10.0.2.2"

struct test_net;

struct test_net_config {
    const struct spec *spec;
    uint64_t seed;
    uint64_t (*now_ns)(void *opaque); /* the guest's time */
    void (*arrived)(void *opaque);    /* frames wait for the guest */
    bool pollable;                    /* its descriptor tells that, too */
    void *opaque;
};

/* Whether the test has to do with a network. */
bool test_net_is_wanted(const struct spec *spec);
MUST_CHECK int test_net_create(const struct test_net_config *config, struct test_net **out);
void test_net_destroy(struct test_net *net); /* NULL is harmless */

struct net_backend *test_net_backend(struct test_net *net);
/* Does what is due. */
void test_net_run(struct test_net *net);
/* When test_net_run is wanted next, of the guest's time; UINT64_MAX: not before a frame. */
uint64_t test_net_next_ns(const struct test_net *net);
/* The guest said this on its console. */
void test_net_heard(struct test_net *net, const void *text, size_t len);
/* A frame out of nowhere. */
void test_net_inject(struct test_net *net, const void *frame, size_t len);
bool test_net_is_done(const struct test_net *net);
/* Peers whose scripts were not done, and frames that were expected and not sent. */
void test_net_check(const struct test_net *net, struct outcome *outcome);
/* Over all frames that the guest sent. */
uint64_t test_net_sum(const struct test_net *net);

#endif
