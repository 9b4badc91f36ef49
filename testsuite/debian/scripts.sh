#!/bin/sh
# SPDX-License-Identifier: MIT
# Small interpreters: bc, dc, perl, jq, m4, tclsh, bash.
# timeout: 240
. "$SRCDIR/testsuite/debian/lib.sh"
printf 'scale=60\n4*a(1)\ne(1)\nsqrt(2)\n2^2000 %% 10^30\nfor (i=1;i<10;i++) s(i/3)\n' >"$TMPDIR/bc"
input=$TMPDIR/bc
same bc -l
printf '200k2v p 3 7/p[la1+dsa*pla50>y]sy0sa1lyx' >"$TMPDIR/dc"
input=$TMPDIR/dc
same dc
cat >"$TMPDIR/a.pl" <<'END'
my %h; my $n = 0;
while (<STDIN>) { $h{$_}++ for split; $n += length; }
printf "%d %d\n", scalar(keys %h), $n;
print join(",", map { "$_=$h{$_}" } (sort { $h{$b} <=> $h{$a} || $a cmp $b } grep { /^[a-z]/ } keys %h)[0 .. 9]), "\n";
my @a = sort { $a <=> $b } map { ($_ * 7919) % 100003 } 1 .. 50000;
print "@a[0, 100, -1]\n";
my $s = 0; $s += sin($_) / sqrt($_ + 1) for 1 .. 200000; printf "%.17g\n", $s;
print 0.1 + 0.2, " ", 1e21, " ", 2**53 + 1, " ", 7 % -3, " ", int(-3.7), " ", "10" + "0x10", "\n";
my $t = "abc" x 1000; $t =~ s/(b)(c)/$2$1/g; print length($t), " ", substr($t, 0, 12), " ", unpack("%32C*", $t), "\n";
print pack("NnCa4", 1, 2, 3, "xyz") eq "\0\0\0\1\0\2\3xyz\0" ? "pack\n" : "no\n";
sub fib { my $n = shift; $n < 2 ? $n : fib($n - 1) + fib($n - 2) } print fib(20), "\n";
print scalar reverse("hello"), " ", ucfirst(lc("WORLD")), " ", sprintf("%vd", "1.22.333"), "\n";
eval { die { code => 5 } }; print $@->{code}, "\n"; warn "warned\n"; exit 3;
END
text 20000 "$TMPDIR/text"
input=$TMPDIR/text
same perl -e "$(cat "$TMPDIR/a.pl")"
awk 'BEGIN { print "["; for (i = 0; i < 5000; i++) printf "{\"id\":%d,\"v\":%.6f,\"s\":\"item %d\",\"t\":[%d,%d]},\n", i, i / 7, i % 13, i, i * i; print "{}]" }' >"$TMPDIR/json"
input=$TMPDIR/json
same jq -c 'map(select(.id and .id % 7 == 0) | {id, w: (.v * 100 | floor), s})'
same jq 'group_by(.s) | map({k: .[0].s, n: length, sum: (map(.v // 0) | add)})'
same jq -r '.[] | .s // "none" | ascii_upcase | @base64' 
same jq '.[' 
printf 'define(`f'"'"', `ifelse($1, 0, 1, `eval($1 * f(decr($1)))'"'"')'"'"')dnl\nf(10) format(%%05d, 42) len(`abcdef'"'"') esc\n' >"$TMPDIR/m4"
input=$TMPDIR/m4
same m4
cat >"$TMPDIR/a.tcl" <<'END'
proc fib n { if {$n < 2} { return $n }; expr {[fib [expr {$n - 1}]] + [fib [expr {$n - 2}]]} }
puts [fib 18]
set s 0.0; for {set i 1} {$i < 50000} {incr i} { set s [expr {$s + sin($i) / $i}] }; puts $s
puts [lsort -integer [lmap x {5 3 9 1 7} {expr {$x * $x}}]]
puts [regsub -all {(\w)(\w)} "abcdef" {\2\1}] ; puts [expr {2 ** 100}] ; puts [clock format 0 -gmt 1 -format %Y-%m-%d]
END
input=$TMPDIR/a.tcl
same tclsh
cat >"$TMPDIR/a.sh" <<'END'
x=0; for ((i = 0; i < 20000; i++)); do ((x += i * i % 7)); done; echo $x
declare -A m; for w in a b c a b a; do ((m[$w]++)); done; for k in a b c; do echo $k ${m[$k]}; done
s=abcdef; echo ${s:2:3} ${s^^} ${s//[bd]/_} ${#s}; printf '%08.3f %q\n' 3.14159 'a b'
f() { local n=$1; ((n)) && f $((n - 1)); return $n; }; f 50; echo $?
case hello in h*o) echo matched ;; esac; [[ abc123 =~ ([a-z]+)([0-9]+) ]] && echo ${BASH_REMATCH[2]}
while read -r a b; do echo "$b $a"; done <<< "one two"
trap 'echo bye' EXIT; exit 4
END
input=$TMPDIR/a.sh
same bash

# Scripts: the interpreter of their first line is run in their place.
input=$TMPDIR/json
same json_pp
input=
same /usr/bin/ldd --version
