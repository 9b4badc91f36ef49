/* SPDX-License-Identifier: MIT */
#ifndef DENALI_RUN_END_H
#define DENALI_RUN_END_H

#include "denali/vm.h"

/* Of a VM that has ended; tells what is to be told on stderr. An enum cli_status, or the guest's.
 */
int run_end_status(struct vm *vm, struct engine *engine);

#endif
