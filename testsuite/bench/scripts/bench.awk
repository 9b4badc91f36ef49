# SPDX-License-Identifier: MIT
# Floating-point loops, associative arrays, splitting and substitution: what AWK programs do.
# BENCH_SCALE in the environment: percent of the usual work.
BEGIN {
    scale = "BENCH_SCALE" in ENVIRON ? ENVIRON["BENCH_SCALE"] / 100 : 1
    for (i = 1; i <= 4000000 * scale; i++)
        sum += sqrt(i) / (1 + i % 7)
    seed = 1
    for (i = 0; i < 500000 * scale; i++) {
        seed = (seed * 16807) % 2147483647
        count["k" seed % 3000] += i % 10
    }
    for (k in count)
        total += count[k] * length(k)
    for (i = 0; i < 150000 * scale; i++) {
        line = "alpha " i " beta " i * 3 " gamma"
        n = split(line, f, " ")
        gsub(/[aeiou]/, "-", line)
        chars += length(line) + f[4] % n
    }
    printf "%.6f %d %d\n", sum, total, chars
}
