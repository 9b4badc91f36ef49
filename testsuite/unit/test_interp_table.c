/* SPDX-License-Identifier: MIT */
/* Every row of the instruction table has a function in the interpreter. */
#include <stdio.h>
#include <stdlib.h>

#include "emu/cpu/interp/interp.h"

int main(void)
{
    unsigned missing = 0;
    for (unsigned i = 0; i < isa_row_count; i++) {
        const struct isa_row *row = &isa_rows[i];
        if (interp_table[row->sem])
            continue;
        printf("not implemented: %s (row %u)\n", row->mnemonic, i);
        missing++;
    }
    printf("%u rows, %u without a function\n", isa_row_count, missing);
    return missing ? EXIT_FAILURE : EXIT_SUCCESS;
}
