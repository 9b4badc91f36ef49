/* SPDX-License-Identifier: MIT */
/*
 * What the loader (`denali run`) tells Ilwaco. Shared by both sides.
 *
 * args of the register page: the program's argv, argv[0] included.
 * env: the program's environment, and among it, in any order, parameters whose
 * names begin with "denali."; these are taken out before the program starts.
 *
 *   denali.program=PATH   where the program lies in the root (absolute). With a
 *                         disk "program" it is only the name that AT_EXECFN and
 *                         /proc/self/exe show, and need not exist in the root.
 *   denali.cwd=DIR        working directory (default /)
 *   denali.hostname=NAME  (default "denali")
 *   denali.net=dhcp | none | ADDR/BITS,GATEWAY,DNS   (default dhcp if there is a NIC)
 *   denali.idle=spin      with a timer armed it does not idle but looks again and again: the
 *                         other arm of the paper's experiment with idle-with-timeout
 *   denali.time_zone, and others: ignored when unknown
 *
 * Devices, by the names of the manifest: console "console", keyboard
 * "keyboard", timer "timer", NIC "net" (optional), disk "root" (optional, a packed
 * root, see rootfs_format.h), disk "program" (optional, the raw bytes of the
 * program's ELF file, read-only), disk "stdin" (optional: standard input, where it is
 * a file; the keyboard is not asked then). Further disks given by --disk appear as /dev/NAME.
 *
 * Exit: status 0..119 through TERMINATE. A program's status over 119, or its
 * death by signal n (128 + n), is said in one line on the error stream and
 * becomes 119.
 */
#ifndef ILWACO_BOOT_PARAMS_H
#define ILWACO_BOOT_PARAMS_H

#define ILWACO_PARAM_PREFIX "denali."
#define ILWACO_PARAM_PROGRAM "denali.program="
#define ILWACO_PARAM_CWD "denali.cwd="
#define ILWACO_PARAM_HOSTNAME "denali.hostname="
#define ILWACO_PARAM_NET "denali.net="
#define ILWACO_PARAM_IDLE "denali.idle="

#define ILWACO_DEV_CONSOLE "console"
#define ILWACO_DEV_KEYBOARD "keyboard"
#define ILWACO_DEV_TIMER "timer"
#define ILWACO_DEV_NIC "net"
#define ILWACO_DISK_ROOT "root"
#define ILWACO_DISK_PROGRAM "program"
#define ILWACO_DISK_STDIN "stdin"

#define ILWACO_STATUS_MAX 119

/* Where a position-independent program lies: debuggers add this to its addresses. */
#define ILWACO_PIE_BASE 0x00500000u

#endif
