#!/bin/sh
# SPDX-License-Identifier: MIT
# gawk and the other awks: fields, arrays, regular expressions, floating point.
# timeout: 120
. "$SRCDIR/testsuite/debian/lib.sh"
text 40000 "$TMPDIR/text"
cat >"$TMPDIR/a.awk" <<'EOT'
{ for (i = 2; i < NF; i++) count[$i]++; sum += $NF; last = $0 }
/wizards.*coffee|lazy (dog|fox)/ { hits++ }
{ gsub(/[aeiou]/, "#", last); total += length(last) + index($0, "fox") }
END {
    for (w in count) keys[++n] = w
    for (i = 1; i <= n; i++) for (j = i + 1; j <= n; j++) if (keys[j] < keys[i]) { t = keys[i]; keys[i] = keys[j]; keys[j] = t }
    for (i = 1; i <= n; i++) printf "%-10s %d\n", keys[i], count[keys[i]]
    printf "%d %.10g %e %g %s\n", hits, sum, sum / 7, total, last
    for (x = 0.1; x < 3; x += 0.37) printf "%.15g %.15g %.15g %.15g %.15g\n", sin(x), cos(x), atan2(x, 2), exp(x), log(x)
    srand(1); print int(1e15 / 3), 2 ^ 0.5, 10 % 3.3, -7 % 3, 1e6, 1e300 * 1e300, substr("hello", 2, 3), toupper("abc")
    for (i = 0; i < 300000; i++) s += (i * 1.5) % 7.25 / (i + 1)
    printf "%.17g\n", s
}
EOT
input=$TMPDIR/text
for awk in gawk mawk "busybox awk"; do same $awk "$(cat "$TMPDIR/a.awk")"; done
same gawk 'BEGIN { PROCINFO["sorted_in"] = "@ind_num_asc" } { a[length($0)]++ } END { for (i in a) print i, a[i], strftime("%F", 86400 * i, 1) }'
same gawk -M 'BEGIN { PREC = 200; x = 1; for (i = 1; i < 60; i++) x = x * i; print x, 2 ^ 500 }'
same gawk -v n=5 'NR % n { print > "/dev/stderr" } END { exit 9 }'
