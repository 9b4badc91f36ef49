/* SPDX-License-Identifier: MIT */
/* x87 arithmetic with memory operands. */
#include "nbody.h"

int main(int argc, char **argv)
{
    return nbody("nbody87", 1200000 * bench_scale(argc, argv, 3));
}
