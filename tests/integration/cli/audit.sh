#!/bin/sh
# The audit chain: listed by key, actor, action and time, and proved.
. "$(dirname "$0")/lib.sh"
start_daemon

lk tenant create acme >/dev/null
lk keyspace create prod --tenant acme --token-prefix sk- >/dev/null
expect 0 lk key create --tenant acme --keyspace prod --name ci --token-file "$dir/token" --output json
key=$(jq -r .key.id <"$dir/out")
lk key revoke 1 --tenant acme >/dev/null

expect 0 lk audit list --tenant acme
out_has '^NUMBER +TIME +ACTOR +ACTION +TENANT +RESOURCE +CODE'
out_has "^[0-9]+ +20[0-9-]+ [0-9:]+ +uid:$(id -u) +KeyService/Revoke +acme +keys/$key +OK"
out_lacks "$(cat "$dir/token")"
out_lacks '  0 '
expect 0 lk audit list --key "$key" --tenant acme --output json
json '[.records[].method] | join(" ")' "latchkey.v1.KeyService/Revoke latchkey.v1.KeyService/Create"
json '.records[0].keyAfter.state' KEY_STATE_REVOKED
for action in keys.revoke KeyService/Revoke latchkey.v1.KeyService/Revoke; do
	expect 0 lk audit list --action "$action" --output json
	json '.records | length' 1
done
expect 0 lk audit list --action latchkeyd/reap
err_has '^no records$'
expect 3 lk audit list --action KeyService/Revoek
err_has 'action: '
expect 0 lk audit list --actor "uid:$(id -u)" --start-time 1h --limit 2 --output json
json '.records | length' 2
expect 0 lk audit list --end-time 1h
err_has '^no records$'

expect 0 lk audit verify
out_has '^Proved up to +[0-9]+$'
out_has '^Its hash +[0-9a-f]{64}$'
expect 0 lk audit verify --output json
json .brokenNumber 0
json '.verifiedNumber == .headNumber' true

# What is refused is noted too, soon: the call that asks may be the first that can see it.
lk root-key create --name gateway --methods keys.verify --tenants acme --keyspaces '*' --token-file "$dir/root" >/dev/null
expect 3 lk tenant list --credential-file "$dir/root"
tries=2000
until lk audit list --refused-only --output json >"$dir/out" && jq -e '.records | length > 0' <"$dir/out" >/dev/null; do
	tries=$((tries - 1))
	[ $tries -gt 0 ] || fail "the refusal is not in the chain"
done
expect 0 lk audit list --refused-only
out_has '^[0-9]+ .* key:key_[^ ]+ +TenantService/List .* PERMISSION_DENIED'

# A byte of a record that is another one: it is found, and which record it is.
broken=$(lk audit list --action keys.revoke --output json | jq -r '.records[0].number')
stop_daemon
sed -i 's,KeyService/Revoke,KeyService/Revoka,g' "$dir/data/data.mdb"
start_daemon
expect 5 lk audit verify
out_has "^Proved up to +$((broken - 1))\$"
out_has "^Broken record +$broken\$"
out_has '^What is wrong +[a-z]'
expect 5 lk audit verify --output json
json .brokenNumber "$broken"
