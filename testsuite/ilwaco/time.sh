#!/bin/sh
# SPDX-License-Identifier: MIT
# timeout: 120
# alone
. "$SRCDIR/testsuite/ilwaco/lib.sh"
same_program time
