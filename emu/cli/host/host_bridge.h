/* SPDX-License-Identifier: MIT */
#ifndef DENALI_HOST_BRIDGE_H
#define DENALI_HOST_BRIDGE_H

#include "emu/base/base.h"
#include "emu/base/why.h"

/* Serves until the worker closes descriptor 3. */
MUST_CHECK int host_bridge(uint32_t ip, const uint8_t mac[6], struct why *why);

#endif
