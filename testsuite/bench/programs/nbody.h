/* SPDX-License-Identifier: MIT */
/* Planets that attract each other, in double; compiled for the x87 and for SSE2. */
#include <math.h>
#include <string.h>

#include "../bench.h"

enum { BODIES = 6 };

struct body {
    double x[3], v[3], mass;
};

static void attract(struct body *a, struct body *b, double dt)
{
    double d[3], square = 0.01;

    for (int k = 0; k < 3; k++) {
        d[k] = a->x[k] - b->x[k];
        square += d[k] * d[k];
    }
    double pull = dt / (square * sqrt(square));
    for (int k = 0; k < 3; k++) {
        a->v[k] -= d[k] * b->mass * pull;
        b->v[k] += d[k] * a->mass * pull;
    }
}

static void step(struct body *bodies, double dt)
{
    for (int i = 0; i < BODIES; i++)
        for (int j = i + 1; j < BODIES; j++)
            attract(&bodies[i], &bodies[j], dt);
    for (int i = 0; i < BODIES; i++)
        for (int k = 0; k < 3; k++)
            bodies[i].x[k] += dt * bodies[i].v[k];
}

static int nbody(const char *name, unsigned long steps)
{
    struct body bodies[BODIES];
    uint32_t seed = 12345;
    uint64_t sum = 0, bits;

    for (int i = 0; i < BODIES; i++) {
        bodies[i].mass = 1 + (bench_random(&seed) & 1023) / 1024.0;
        for (int k = 0; k < 3; k++) {
            bodies[i].x[k] = (bench_random(&seed) & 65535) / 4096.0;
            bodies[i].v[k] = ((bench_random(&seed) & 255) - 128) / 4096.0;
        }
    }
    for (unsigned long n = 0; n < steps; n++)
        step(bodies, 0.001);
    for (int i = 0; i < BODIES; i++) {
        memcpy(&bits, &bodies[i].x[0], sizeof(bits));
        sum = sum * 31 + bits;
    }
    return bench_end(name, sum);
}
