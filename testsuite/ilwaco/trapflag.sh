#!/bin/sh
# SPDX-License-Identifier: MIT
# A program that steps itself by the trap flag is trapped at the same places as natively.
. "$SRCDIR/testsuite/ilwaco/lib.sh"
same_program trapflag
