#!/bin/sh
# SPDX-License-Identifier: MIT
# timeout: 120
. "$SRCDIR/testsuite/ilwaco/lib.sh"
same_program float
