#!/bin/sh
# The manual pages are sound, and know every verb of the one and every option of the other program.
. "$(dirname "$0")/lib.sh"
man=$(dirname "$0")/../../../tools/man

# page_has PAGE WORD: as a word of its own, roff's "\-" being "-".
page_has() {
	grep -Eq -e "(^|[^a-z_-])$2([^a-z_-]|\$)" "$man/$1" || fail "$1 does not know $2"
}

expect 0 lk --help
nouns=$(sed -n '/^Nouns:/,/^$/s/^  \([a-z-]*\)  .*/\1/p' "$dir/out")
[ -n "$nouns" ] || fail "no nouns in the help"
for noun in $nouns; do
	page_has latchkey.1 "$noun"
	expect 0 lk "$noun" --help
	for verb in $(sed -n '/^Verbs:/,/^$/s/^  \([a-z-]*\)  .*/\1/p' "$dir/out"); do
		page_has latchkey.1 "$verb"
	done
done

expect 0 "$LATCHKEYD" --help
for option in $(sed -n 's/^  --\([a-z-]*\) .*/\1/p' "$dir/out"); do
	page_has latchkeyd.8 "Fl -$option"
done
for key in $(sed -n '/^The file has/,$s/^  \([a-z_]*\)  .*/\1/p' "$dir/out"); do
	page_has latchkeyd.8 "$key"
done

# roff's own words come last: where there is no checker, all else was checked.
if command -v mandoc >/dev/null; then
	expect 0 mandoc -T lint -W warning "$man/latchkey.1" "$man/latchkeyd.8"
elif command -v groff >/dev/null; then
	expect 0 groff -mdoc -ww -T utf8 -z "$man/latchkey.1" "$man/latchkeyd.8"
	err_is_empty
fi
