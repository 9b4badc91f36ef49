-- SPDX-License-Identifier: MIT
-- Inserts, an index, joins, aggregates and updates in a database in memory.
-- The parameter :scale, if it is set: percent of the usual work.
CREATE TABLE item(id INTEGER PRIMARY KEY, kind INTEGER, name TEXT, price REAL);
CREATE TABLE kind(id INTEGER PRIMARY KEY, label TEXT);
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 500)
INSERT INTO kind SELECT i, 'kind-' || (i * 7919 % 1009) FROM n;
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 5000 * coalesce(:scale, 100))
INSERT INTO item SELECT i, 1 + i * 31 % 500, 'item ' || (i * 104729 % 1000003), (i * 17 % 9973) / 100.0 FROM n;
CREATE INDEX item_name ON item(name);
SELECT count(*), round(sum(price), 2) FROM item WHERE name BETWEEN 'item 2' AND 'item 5';
SELECT label, count(*), round(avg(price), 4) FROM item JOIN kind ON kind.id = item.kind
 GROUP BY label ORDER BY 3 DESC, 1 LIMIT 5;
UPDATE item SET price = price * 1.05 WHERE kind % 3 = 0;
SELECT round(sum(price), 2), max(name), min(length(name)) FROM item;
SELECT count(DISTINCT a.kind) FROM item a JOIN item b ON a.name = b.name WHERE a.id % 10 = 0;
DELETE FROM item WHERE id % 2 = 0;
SELECT count(*), group_concat(kind) FROM (SELECT kind FROM item ORDER BY price DESC, id LIMIT 20);
