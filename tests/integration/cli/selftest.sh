#!/bin/sh
# selftest revocation: on a sound daemon, in a tenant of its own and in one that is named; through a cache, which it must find; and
# that it leaves nothing behind.
. "$(dirname "$0")/lib.sh"

# 2: what needs no daemon to be wrong.
for wrong in 0 10001 -1 1.5 x '' 99999999999; do
	expect 2 lk selftest revocation --keys "$wrong"
	err_has "--keys \"$wrong\": give a whole number from 1 to 10000"
done
expect 2 lk selftest revocation --tenant acme
err_has 'tenant and --keyspace go together'
expect 2 lk selftest revocation --keyspace prod
err_has 'tenant and --keyspace go together'
expect 2 lk selftest revokation
err_has 'did you mean "latchkey selftest revocation"'
expect 2 lk selftest revocation --data "$dir/nowhere"
err_has "--data $dir/nowhere: "
expect 4 lk selftest revocation --url "ipc://$dir/nobody" --timeout 200ms
err_has 'HealthService/Check: no answer: UNAVAILABLE'
# Nothing was made, so nothing is said of removing it.
[ "$(wc -l <"$dir/err")" -eq 1 ] || fail "more is said than that nobody is there"

start_daemon

no_key_is_left() {
	expect 0 lk key list --tenant acme --output json
	json '.keys | length' 0
}

expect 0 lk selftest revocation --keys 20 --timeout 30s
out_has '^Tenant +selftest-[0-9a-f]{8}$'
out_has '^Keys revoked +20$'
out_has '^VALID after it +0$'
out_has '^Worst window +0$'
out_has '^unary +[1-9][0-9]* '
out_has '^batching +[1-9][0-9]* '
err_is_empty
tenant=$(sed -n 's/^Tenant  *//p' "$dir/out")
expect 3 lk key create --tenant "$tenant" --keyspace canaries
err_has 'NOT_FOUND|FAILED_PRECONDITION'

lk tenant create acme >/dev/null
lk keyspace create prod --tenant acme --token-prefix sk- >/dev/null
expect 0 lk selftest revocation --keys 20 --tenant acme --keyspace prod --timeout 30s --output json
json '[.tenant, .keyspace, .revokedCount, .validAfterCount, .worstWindowUs] | join(" ")' 'acme prod 20 0 0'
json '.revokeMostUs >= .revokeMedianUs and .revokeMedianUs > 0' true
# Each was asked about at least once before, once after, and once more in the end.
json '[.verifiers[] | .verdictCount >= 60 and .validAfterCount == 0] | all' true
json '.verdictCount == ([.verifiers[].verdictCount] | add)' true
json 'has("shownWindow")' false
no_key_is_left

# With verifiers on the store itself.
expect 0 lk selftest revocation --keys 100 --data "$dir/data" --timeout 30s --output json
json '[.verifiers[].name] | join(", ")' 'unary, batching, in-process 1, in-process 2'
json '[.verifiers[] | .verdictCount >= 300 and .validAfterCount == 0] | all' true
expect 0 lk selftest revocation --keys 5 --data "$dir/data" --tenant acme --keyspace prod --timeout 30s
out_has '^in-process 2 +[1-9][0-9]* +0 +0 +0$'
no_key_is_left
# Not this daemon's store: its keys are unknown there.
"$LATCHKEYD" --data "$dir/other" --listen "ipc://$dir/other.sock" 2>"$dir/other.log" &
other=$!
until grep -q msg=ready "$dir/other.log"; do
	kill -0 "$other" || fail "the other daemon does not run"
done
expect 3 lk selftest revocation --keys 3 --data "$dir/other" --tenant acme --keyspace prod --timeout 30s
err_has 'verifier "in-process [12]" said NOT_FOUND of a canary .*: its store is another: give as --data the data directory of the daemon at --url'
kill "$other"
wait "$other" || fail "the other daemon exited with $?"
no_key_is_left

# The keyspace's rules hold for canaries too: where one is never VALID nothing can be shown, and that is said.
lk keyspace create walled --tenant acme --token-prefix wl- --allowed-cidr 192.0.2.0/24 >/dev/null
expect 3 lk selftest revocation --keys 3 --tenant acme --keyspace walled --timeout 30s
err_has 'said IP_DENIED of a canary that nobody had revoked.* VALID wherever and however often'
no_key_is_left
expect 3 lk selftest revocation --keys 3 --tenant acme --keyspace nowhere
err_has 'keys\.create refused: NOT_FOUND'
lk keyspace create deleting --tenant acme --token-prefix de- --revoke-deletes >/dev/null
expect 0 lk selftest revocation --keys 3 --tenant acme --keyspace deleting --timeout 30s
no_key_is_left
# A keyspace that asks for much gets it.
lk keyspace create strict --tenant acme --token-prefix st- --max-ttl 10m --expiry-required --name-required --name-unique \
	--owner-required >/dev/null
expect 0 lk selftest revocation --keys 3 --tenant acme --keyspace strict --timeout 30s
out_has '^Keys revoked +3$'
no_key_is_left
lk keyspace create brief --tenant acme --token-prefix br- --max-ttl 5s >/dev/null
expect 3 lk selftest revocation --keys 3 --tenant acme --keyspace brief --timeout 30s
err_has 'keys\.create refused: INVALID_ARGUMENT: ttl: a life of 16s is longer'
no_key_is_left

# Who may not do what it takes is told so, and what was made is removed by who may.
lk root-key create --name tester --methods keys.create --methods keys.revoke --methods keys.verify --methods keys.delete --tenants acme \
	--keyspaces prod --token-file "$dir/tester" >/dev/null
expect 0 lk selftest revocation --keys 3 --tenant acme --keyspace prod --timeout 30s --credential-file "$dir/tester"
no_key_is_left
expect 3 lk selftest revocation --keys 3 --timeout 30s --credential-file "$dir/tester"
err_has 'tenants\.create refused: PERMISSION_DENIED'
lk root-key create --name careless --methods keys.create --methods keys.revoke --methods keys.verify --tenants acme --keyspaces prod \
	--token-file "$dir/careless" >/dev/null
expect 3 lk selftest revocation --keys 3 --tenant acme --keyspace prod --timeout 30s --credential-file "$dir/careless"
err_has 'keys\.delete refused: PERMISSION_DENIED'
err_has '3 canaries could not be removed: keys selftest-[0-9a-f]{8}-\* of keyspace prod, tenant acme'
lk key bulk-revoke --tenant acme --keyspace prod --yes >/dev/null
expect 0 lk key list --tenant acme --output json
for key in $(jq -r '.keys[].id' <"$dir/out"); do
	lk key delete "$key" --tenant acme 2>/dev/null
done
no_key_is_left

# Told to stop: it removes what it has made, and ends by the signal.
"$LATCHKEY" selftest revocation --keys 10000 --tenant acme --keyspace prod --timeout 30s >"$dir/out" 2>"$dir/err" &
test=$!
# Until it has made some.
until lk key list --tenant acme --output json | jq -e '.keys | length > 3' >/dev/null; do
	kill -0 "$test" || fail "it ended by itself"
done
kill -TERM "$test"
code=0
wait "$test" || code=$?
[ "$code" -eq 143 ] || fail "told to stop, it exited with $code"
err_has 'stopped after 0 of 10000 keys'
no_key_is_left

# A cache between the verifiers and the daemon is found, and how long it lies.
"$STALE_PEER" "$dir/stale" "$dir/sock" 20 >"$dir/stale.ready" &
peer=$!
until [ -s "$dir/stale.ready" ]; do
	kill -0 "$peer" || fail "the cache does not run"
done
code=0
lk selftest revocation --keys 5 --tenant acme --keyspace prod --timeout 30s --url "ipc://$dir/stale" >"$dir/out" 2>"$dir/err" || code=$?
expected=1
[ "$code" -eq "$expected" ] || fail "through a cache: exited with $code"
err_has 'revoked keys were VALID [1-9][0-9]* times in calls that began after the acknowledgement, the last [0-9.]+ ms after it'
out_has '^VALID after it +[1-9]'
out_has '^Worst window +[0-9.]+ ms$'
code=0
lk selftest revocation --keys 5 --timeout 30s --url "ipc://$dir/stale" --output json >"$dir/out" 2>"$dir/err" || code=$?
[ "$code" -eq "$expected" ] || fail "through a cache, in a tenant of its own: exited with $code"
json '.validAfterCount >= 5 and .worstWindowUs > 0' true
json '[.verifiers[] | select(.validAfterCount > 0)] | .[0].name' unary
kill "$peer"
wait "$peer" 2>/dev/null || true
no_key_is_left
