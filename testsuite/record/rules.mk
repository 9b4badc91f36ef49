# SPDX-License-Identifier: MIT
# The long form of unit/test_history: random guests, stopped at random places, gone back and forth,
# until COUNT states and stops were held against straight runs.
COUNT ?= 10000
.PHONY: check-history
check-history: unit/test_history
	$(Q)HISTORY_COUNT=$(COUNT) unit/test_history
