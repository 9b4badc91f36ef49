/* SPDX-License-Identifier: MIT */
#ifndef DENALI_HOST_WIRING_H
#define DENALI_HOST_WIRING_H

#include "denali/host/worker.h"

extern const struct worker_wiring host_wiring;

#endif
