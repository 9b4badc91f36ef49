/* SPDX-License-Identifier: MIT */
/* The table of handlers, for the signal room alone. */
#ifndef ILWACO_SIGNAL_ACTIONS_H
#define ILWACO_SIGNAL_ACTIONS_H

#include "guests/ilwaco/thread.h"

struct signal_action *signal_action(int signal); /* 1..SIGNALS */

#endif
