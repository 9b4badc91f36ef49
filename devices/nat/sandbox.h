/* SPDX-License-Identifier: MIT */
/* What the NAT process gives up before it looks at the first frame. */
#ifndef DENALI_NAT_SANDBOX_H
#define DENALI_NAT_SANDBOX_H

/*
 * From here on the process has no capabilities, can open files below /etc for reading (libslirp
 * looks at resolv.conf) and nothing else of the file system, where Landlock exists; and makes only
 * the system calls that moving packets takes, where seccomp exists: others answer EPERM. What the
 * host lacks is left out.
 */
void nat_sandbox_enter(void);

#endif
