# SPDX-License-Identifier: MIT
# awk -v net=FOLDER/ -f compare.awk yardstick machine: "FILE LINE HIT" of gcov and of denali's lcov.
#
# Lines of one side only are of three kinds: DWARF has code for a function's braces and gcov counts its head; gcov counts
# labels, and the `return;` of a void function, for which a compiler that does not optimize makes no code but the jump of
# the line before (what DWARF says is the line's is then a nop that nobody comes by, or nothing).
function source(key,    part, file, n) {
    split(key, part, " ")
    file = net part[1]
    if (!(file in read)) {
        read[file]
        while ((getline line <file) > 0) text[part[1] " " ++n] = line
    }
    return text[key]
}
FILENAME == "yardstick" { native[$1 " " $2] = $3; next }
{ machine[$1 " " $2] = $3; files[$1] }
END {
    for (key in machine) {
        run += machine[key]
        if (!(key in native)) {
            if (source(key) ~ /^ *[{}]/) braces++
            else { print "only the machine knows " key ": " source(key); bad++ }
            continue
        }
        both++
        if (native[key] == machine[key]) same++
        else if (native[key] && source(key) ~ /^ *return;$/) { print "no code but a jump: " key ": return;"; returns++ }
        else { print "differs: " key ": native " native[key] ", machine " machine[key]; bad++ }
    }
    for (key in native) {
        if (key in machine || source(key) == "") continue # "": a header from elsewhere
        if (source(key) ~ /^[a-z]/) heads++
        else if (source(key) ~ /^ *(case .*|default):/) labels++
        else if (source(key) ~ /^ *return;$/) returns++
        else { print "only gcov knows " key ": " source(key); bad++ }
    }
    for (f in files) n++
    printf "one side only: %d braces; %d heads, %d labels, %d returns\n", braces, heads, labels, returns
    printf "%d lines of %d files known to both, %d ran, %d the same: %.2f %%\n", both, n, run, same, both ? 100 * same / both : 0
    exit bad || both < 1500 || run < 800 || returns > 10
}
