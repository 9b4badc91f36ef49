/* SPDX-License-Identifier: MIT */
/* The texts behind /proc (procfs_text.c, procfs_self.c), for the table in procfs.c. */
#ifndef ILWACO_PROCFS_H
#define ILWACO_PROCFS_H

#include "guests/ilwaco/fs/vfs.h"

struct text {
    char *data;
    uint32_t len, room;
    int32_t tid; /* whose file it is */
};
typedef void (*proc_text_fn)(struct text *text);

void text_put(struct text *text, const char *fmt, ...) PRINTF_LIKE(2, 3);
void text_bytes(struct text *text, const void *src, uint32_t n);

/* Where a link leads without a path, if its text is made by `fn`; NULL: it is an ordinary link. */
struct dentry *proc_jump_target(proc_text_fn fn);

/* procfs_text.c: the system */
void proc_cpuinfo(struct text *text);
void proc_meminfo(struct text *text);
void proc_uptime(struct text *text);
void proc_loadavg(struct text *text);
void proc_stat(struct text *text);
void proc_version(struct text *text);
void proc_filesystems(struct text *text);
void proc_empty(struct text *text);
void proc_zero(struct text *text);
void proc_one(struct text *text);
void proc_ostype(struct text *text);
void proc_osrelease(struct text *text);
void proc_hostname(struct text *text);
void proc_kernel_version(struct text *text);
void proc_pid_max(struct text *text);
void proc_ngroups(struct text *text);
void proc_last_cap(struct text *text);
void proc_uuid(struct text *text);
void proc_boot_id(struct text *text);
void proc_entropy(struct text *text);
void proc_map_count(struct text *text);
void proc_min_addr(struct text *text);
void proc_file_max(struct text *text);
void proc_pipe_max(struct text *text);
void proc_somaxconn(struct text *text);
void proc_cpu_list(struct text *text);

/* procfs_net.c */
void proc_resolv_conf(struct text *text);
void proc_net_dev(struct text *text);
void proc_net_route(struct text *text);

/* procfs_self.c: the process */
void proc_self(struct text *text);
void proc_thread_self(struct text *text);
void proc_mounts_link(struct text *text);
void proc_exe(struct text *text);
void proc_cwd(struct text *text);
void proc_root(struct text *text);
void proc_maps(struct text *text);
void proc_self_stat(struct text *text);
void proc_statm(struct text *text);
void proc_status(struct text *text);
void proc_args(struct text *text);
void proc_environ(struct text *text);
void proc_auxv(struct text *text);
void proc_comm(struct text *text);
void proc_mounts(struct text *text);
void proc_mountinfo(struct text *text);
void proc_limits(struct text *text);
void proc_cgroup(struct text *text);

#endif
