#!/bin/sh
# Revoking many keys: a rehearsal, being asked, and being refused where there is nobody to ask.
. "$(dirname "$0")/lib.sh"
start_daemon

lk tenant create acme >/dev/null
lk keyspace create prod --tenant acme --token-prefix sk- >/dev/null
for i in 1 2 3 4 5; do
	lk key create --tenant acme --keyspace prod --name "a$i" --owner alice --token-file "$dir/a$i" >/dev/null
done
lk key create --tenant acme --keyspace prod --name b1 --owner bob --token-file "$dir/b1" >/dev/null

live() {
	expect 0 lk key list --tenant acme --state active --output json
	json '[.keys[].name] | join(" ")' "$1"
}

expect 2 lk key bulk-revoke --tenant acme --owner alice </dev/null
err_has 'nobody to ask whether it is meant'
live "a1 a2 a3 a4 a5 b1"
expect 0 lk key bulk-revoke --tenant acme --owner alice --validate-only
err_has '^5 would be revoked:$'
out_has '^ID +NAME '
out_has ' a3 .*ACTIVE'
expect 0 lk key bulk-revoke --tenant acme --owner alice --validate-only --output json
json .totalSize 5
json '.sample | length' 5
live "a1 a2 a3 a4 a5 b1"
expect 3 lk key bulk-revoke --tenant acme --yes
err_has 'INVALID_ARGUMENT'
expect 3 lk key bulk-revoke --tenant acme --yes --owner alice --key 1
err_has 'INVALID_ARGUMENT'

# By name, of which those that are revoked already do not count.
expect 0 lk key bulk-revoke 1 --key 2 --tenant acme --yes --reason drill
out_has '^Keys +2$'
out_has '^Revoked +2$'
expect 1 lk key verify <"$dir/a1"
out_has '^Verdict +REVOKED$'
live "a3 a4 a5 b1"

# On a terminal one is asked, and anything but yes is no.
if script --quiet --return --log-out /dev/null --command true >/dev/null 2>&1 </dev/null; then
	answer() {
		printf '%s\n' "$1" | NO_COLOR=1 script --quiet --return --log-out /dev/null \
			--command "'$LATCHKEY' key bulk-revoke --tenant acme --owner alice" >"$dir/out" 2>"$dir/err" ||
			fail "answered \"$1\": exited with $?"
		out_has 'Revoke 3 keys for good\? \[y/N\]'
		out_has ' a4 '
	}
	answer n
	live "a3 a4 a5 b1"
	answer ''
	live "a3 a4 a5 b1"
	answer y
	out_has 'Revoked +3'
else
	expect 0 lk key bulk-revoke --tenant acme --owner alice --yes
fi
live b1
expect 0 lk key get 3 --tenant acme
out_has '^State +REVOKED$'
expect 0 lk key bulk-revoke --tenant acme --owner alice --yes --output json
json .totalSize 0
json .done true
expect 0 lk key bulk-revoke --tenant acme --owner alice --validate-only
err_has '^no keys would be revoked$'
expect 0 lk key verify <"$dir/b1"

# More than one call's part.
cat >"$dir/make" <<'END'
i=0
while [ $i -lt 600 ]; do
	i=$((i + 1))
	printf '{"tenant": "acme", "keyspace": "prod", "owner": "many"}' | "$LATCHKEY" call KeyService/Create - >/dev/null || exit 1
done
END
sh "$dir/make" || fail "could not make 600 keys"
expect 0 lk key bulk-revoke --tenant acme --owner many --yes
out_has '^Revoked +600$'
err_is_empty
live b1
