/* SPDX-License-Identifier: MIT */
/*
 * What one VM may take. All zero: as much as there is. Rates have a burst of
 * BUCKET_BURST_NS. What is over a rate waits: a disk request before it begins, a
 * console write with the VM standing still in it, a frame on its wire, whose queue is
 * bounded. A guest's own fault is only slowness.
 */
#ifndef DENALI_QUOTA_H
#define DENALI_QUOTA_H

#include "devices/wire.h"

struct quota {
    unsigned weight, cap; /* of the processors: sched.h */
    uint64_t disk_blocks_per_s, console_bytes_per_s;
    struct wire_config to_lan, from_lan; /* also what a bad wire does */
};

/*
 * One of "weight", "cap" (percent), "disk" (blocks a second), "console" (bytes a second), and of
 * the NIC "send" and "receive", whose value is a list as wire_config_parse has it, with ";" for
 * ",". Changes `quota`. -EINVAL.
 */
MUST_CHECK int quota_set(struct quota *quota, const char *name, const char *value);
/* NULL when the wire is perfect: for lan_port_shape. */
const struct wire_config *quota_wire(const struct wire_config *config);

#endif
