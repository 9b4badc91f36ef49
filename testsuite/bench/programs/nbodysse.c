/* SPDX-License-Identifier: MIT */
/* Scalar SSE2 arithmetic. */
#include "nbody.h"

int main(int argc, char **argv)
{
    return nbody("nbodysse", 1500000 * bench_scale(argc, argv, 6));
}
