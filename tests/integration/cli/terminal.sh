#!/bin/sh
# On a terminal: a token is not shown as it is typed, tables fit, and what strangers wrote moves no cursor.
. "$(dirname "$0")/lib.sh"
script --quiet --return --log-out /dev/null --command true >/dev/null 2>&1 </dev/null || {
	echo "there are no pseudo-terminals here"
	exit 77
}
start_daemon

lk tenant create --tenant acme --display-name 'a rather long name for a company that sells very little' >/dev/null
lk keyspace create --tenant acme --keyspace prod --token-prefix sk- >/dev/null
lk key create --tenant acme --keyspace prod --name ci --owner alice --token-file "$dir/token" >/dev/null
escape=$(printf '\033')

# terminal COLUMNS COMMAND: runs it on a terminal of that width, typing what is on standard input; the screen is in $dir/out.
terminal() {
	script --quiet --return --log-out "$dir/screen" --command "stty cols $1; $2" >"$dir/err"
	sed -e '/^Script /d' -e 's/\r$//' "$dir/screen" >"$dir/out"
}

# Types the token once it is asked for, as what is typed before is flushed.
mkfifo "$dir/keyboard" "$dir/display"
NO_COLOR=1 script --quiet --return --log-out /dev/null --command "'$LATCHKEY' key verify" <"$dir/keyboard" >"$dir/display" &
terminal=$!
exec 8>"$dir/keyboard" 9<"$dir/display"
[ "$(head -c 7 <&9)" = "Token: " ] || fail "no prompt"
cat "$dir/token" >&8
exec 8>&-
cat <&9 >"$dir/out"
wait $terminal || fail "verify on a terminal exited with $?"
out_has '^Verdict +VALID.?$'
out_lacks "$(cat "$dir/token")"

for columns in 30 40 60 80 120; do
	NO_COLOR=1 terminal $columns "'$LATCHKEY' key list --tenant acme 2>/dev/null; '$LATCHKEY' tenant list 2>/dev/null" </dev/null
	out_has '^ID'
	out_lacks "$escape"
	sed -e 's/…/./g' "$dir/out" | while IFS= read -r line; do
		[ ${#line} -le $columns ] || fail "wider than $columns: $line"
	done
done

TERM=xterm terminal 80 "'$LATCHKEY' key list --tenant acme" </dev/null
out_has "${escape}\[32mACTIVE${escape}\[0m"
TERM=dumb terminal 80 "'$LATCHKEY' key list --tenant acme" </dev/null
out_lacks "$escape"

# Metadata with an escape sequence, where the daemon takes it, come out as text, and as JSON too.
if lk key create --tenant acme --keyspace prod --metadata "x=${escape}[2Jgone" >/dev/null 2>&1; then
	NO_COLOR=1 terminal 200 "'$LATCHKEY' key get --tenant acme --key 2; '$LATCHKEY' key get --tenant acme --key 2 --output json" \
		</dev/null
	out_lacks "$escape"
	out_has 'x1b\[2Jgone'
	out_has 'u001[bB]\[2Jgone'
fi
