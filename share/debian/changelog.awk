# SPDX-License-Identifier: GPL-3.0-or-later
#
# CHANGELOG.md as a Debian changelog: an entry for each of its versions, the newest under the version that is built.
# Variables: version, maintainer, date (of the newest; those of others stand in their headings).

# What has been gathered, in lines of at most 80 columns.
function put_item(    n, i, word, line) {
    if (item == "")
        return
    n = split(item, word, " ")
    line = first
    for (i = 1; i <= n; i++) {
        if (line != first && line != rest && length(line) + 1 + length(word[i]) > 80) {
            print line
            line = rest
        }
        line = line (line == first || line == rest ? "" : " ") word[i]
    }
    print line
    item = ""
}

function put_end() {
    put_item()
    if (entries > 0)
        printf "\n -- %s  %s\n", maintainer, date
}

function date_of(day,    command, line) {
    command = "LC_ALL=C date -u -R -d '" day " 12:00 UTC'"
    command | getline line
    close(command)
    return line
}

/^## / {
    put_end()
    if (entries++ > 0) {
        version = $2 "-0.1"
        gsub(/[][]/, "", version)
        match($0, /[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9]/)
        date = date_of(substr($0, RSTART, 10))
        print ""
    }
    printf "cowtui (%s) unstable; urgency=medium\n", version
    next
}
entries == 0 { next }
/^### / { sub(/^### /, ""); put_item(); printf "\n  [ %s ]\n", $0; next }
/^- / { put_item(); item = substr($0, 3); first = "  * "; rest = "    "; next }
/^$/ { put_item(); next }
/^[^ ]/ && item == "" { print ""; first = rest = "  "; item = $0; next }
{ sub(/^ +/, ""); item = item " " $0 }
END { put_end() }
