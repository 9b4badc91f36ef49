#!/bin/sh
# SPDX-License-Identifier: MIT
# SQLite: a file and memory, transactions, joins, text, numbers.
# timeout: 180
. "$SRCDIR/testsuite/debian/lib.sh"
cat >"$TMPDIR/a.sql" <<'END'
PRAGMA journal_mode=WAL;
CREATE TABLE t(id INTEGER PRIMARY KEY, a INTEGER, b REAL, c TEXT);
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 60000)
INSERT INTO t SELECT i, (i * 7919) % 10007, i / 7.0, 'row ' || printf('%06d', (i * 31) % 60000) FROM n;
CREATE INDEX ta ON t(a);
CREATE INDEX tc ON t(c);
SELECT count(*), sum(a), avg(b), min(c), max(c), total(b * a) FROM t;
SELECT a % 10, count(*), round(avg(b), 6) FROM t GROUP BY a % 10 ORDER BY 1;
SELECT x.id, y.id FROM t x JOIN t y ON x.a = y.a AND x.id < y.id WHERE x.a < 20 ORDER BY 1, 2 LIMIT 50;
BEGIN;
UPDATE t SET c = upper(c), b = b * 1.1 WHERE a BETWEEN 100 AND 2000;
DELETE FROM t WHERE id % 3 = 0;
SELECT count(*), sum(length(c)), sum(b) FROM t;
ROLLBACK;
SELECT count(*), sum(length(c)), sum(b) FROM t;
SELECT hex(zeroblob(4)), quote('it''s'), 1.0 / 3, 1e100, 9223372036854775807 + 1, abs(-5.5), substr('hello', 2, 3);
SELECT id, row_number() OVER (PARTITION BY a % 3 ORDER BY b DESC) FROM t WHERE id < 20;
SELECT json_extract('{"a":[1,2,{"b":"x"}]}', '$.a[2].b'), json_group_array(id) FROM t WHERE id < 6;
SELECT date(86400 * 365.25 * 30, 'unixepoch'), strftime('%Y-%j', 2451545.0);
VACUUM;
PRAGMA integrity_check;
SELECT no_such_column FROM t;
END
input=$TMPDIR/a.sql
same sqlite3 /tmp/test.db
input=$TMPDIR/a.sql
same sqlite3 :memory:
input=
same sqlite3 -box :memory: 'SELECT 1 AS one, 2.5 AS two, NULL AS none'
