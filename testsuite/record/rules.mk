# SPDX-License-Identifier: MIT
# The long form of unit/test_history: 2,800 random guests, some 20,000 places gone to and compared.
.PHONY: check-history
check-history: unit/test_history
	HISTORY_ROUNDS=400 unit/test_history
