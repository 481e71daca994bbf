#!/bin/sh
# The exit codes, and that what went wrong is said, on standard error alone.
. "$(dirname "$0")/lib.sh"

quiet() {
	[ ! -s "$dir/out" ] || fail "something on standard output"
}

# 2: what needs no daemon to be wrong.
expect 2 lk
err_has '^Usage: latchkey NOUN VERB'
quiet
expect 2 lk kye list
err_has 'did you mean "latchkey key"'
quiet
expect 2 lk key lsit
err_has 'did you mean "latchkey key list"'
expect 2 lk key
err_has '^Usage: latchkey key VERB'
expect 2 lk key create --expires 30d
err_has 'no flag --expires here'
expect 2 lk key create --expire-time someday
err_has '^latchkey: --expire-time "someday": a time is RFC 3339'
expect 2 lk key list --output yaml
err_has 'table or json'
expect 2 lk key list --timeout never
err_has '--timeout never'
expect 2 lk key update 1
err_has 'nothing is to be changed'
expect 2 lk key bulk-revoke --owner alice </dev/null
err_has 'give --yes'
expect 2 lk key list --limit 0
err_has '--limit "0"'
LATCHKEY_CREDENTIAL=$(head -c 9000 /dev/zero | tr '\0' a) expect 2 lk whoami
err_has 'LATCHKEY_CREDENTIAL is longer than 8192 bytes'
expect 2 lk key get --key 1 --credential-file "$dir/absent"
err_has 'cannot read the credential from .*absent: No such file'
: >"$dir/empty"
expect 2 lk key get --key 1 --credential-file "$dir/empty"
err_has 'holds no credential'
expect 2 lk key verify </dev/null
err_has 'no token on standard input'
printf '\n' >"$dir/token"
expect 2 lk key verify <"$dir/token"
printf 'sk-\000x' >"$dir/token"
expect 2 lk key verify <"$dir/token"
printf 'sk-\377' >"$dir/token"
expect 2 lk key verify <"$dir/token"
head -c 100000 /dev/zero | tr '\0' a >"$dir/token"
expect 2 lk key verify <"$dir/token"
err_has 'longer than'
expect 2 lk whoami --url telnet://x
err_has '--url telnet://x'
expect 2 lk key create --token-file "$dir/token"
err_has 'it is there already: give a new name, or remove it'
expect 2 lk call
expect 2 lk call KeyService/Get '{"key": '
err_has 'is no JSON'
expect 2 lk call KeyService/Get '{"key": "1", "key": "2"}'
expect 2 lk call KeyService/Get "@$dir/absent"
quiet

# 0: help at every level.
for words in "" tenant "tenant create" "tenant delete" keyspace "keyspace create" "keyspace update" key "key create" \
	"key update" "key bulk-revoke" "key rotate" "key verify" root-key "root-key create" audit "audit list" "audit verify" health "health check" whoami call; do
	# shellcheck disable=SC2086 # words are words
	expect 0 lk $words --help
	out_has '^Usage: latchkey'
	err_is_empty
done
expect 0 lk --version
out_has '^latchkey [0-9]'

# 4: nobody there.
expect 4 lk health check --url "ipc://$dir/nobody" --timeout 200ms
err_has '^latchkey: .*: no answer: UNAVAILABLE: '
quiet
expect 4 lk health check --url tcp://127.0.0.1:1 --timeout 200ms
expect 4 lk key create --url "ipc://$dir/nobody" --timeout 200ms --token-file "$dir/left"
[ ! -e "$dir/left" ] || fail "a file for a token that never was"

start_daemon

# 3: refused, with every fault.
expect 3 lk tenant get --tenant nobody
err_has '^latchkey: tenants\.get refused: NOT_FOUND: '
quiet
expect 0 lk tenant create --tenant acme
expect 3 lk keyspace create --tenant acme --keyspace 'Not Good' --token-prefix 'also wrong'
err_has '^latchkey: keyspaces\.create refused: INVALID_ARGUMENT: 2 faults$'
err_has '^  keyspace: '
err_has '^  policy\.token_prefix: '
expect 3 lk tenant create --tenant acme
err_has 'ALREADY_EXISTS'
expect 3 lk key list --tenant acme --page-token nonsense
err_has 'INVALID_ARGUMENT'
expect 3 lk whoami --url "$tcp_url"
err_has 'UNAUTHENTICATED'
printf 'lkr_wrong\n' >"$dir/wrong"
chmod 644 "$dir/wrong"
expect 3 lk whoami --credential-file "$dir/wrong"
err_has 'warning: others may read the credential'
err_has 'UNAUTHENTICATED'
expect 0 lk health check --url "$tcp_url"

# 1: a verdict, which is an answer.
printf 'no-such-token\n' >"$dir/token"
expect 1 lk key verify <"$dir/token"
out_has '^Verdict +(MALFORMED|NOT_FOUND)$'
err_is_empty
head -c 5000 /dev/zero | tr '\0' a >"$dir/token"
expect 1 lk key verify <"$dir/token"
out_has '^Verdict +MALFORMED$'

# What cannot be printed is not passed over.
[ ! -w /dev/full ] || {
	code=0
	lk tenant list --output json >/dev/full 2>"$dir/err" || code=$?
	[ "$code" -eq 2 ] || fail "a full disk: exited with $code"
	err_has 'cannot write the answer'
}

# Nor what stands where a stream was closed, which is nowhere.
lk tenant list >&- 2>"$dir/err" && fail "nothing could be printed, and that was fine"
err_has 'standard output: Bad file descriptor'
code=0
lk key verify <&- >"$dir/out" 2>"$dir/err" || code=$?
[ "$code" -eq 2 ] || fail "no standard input: exited with $code"
err_has 'cannot read the token from standard input: Bad file descriptor'
lk keyspace create --tenant acme --keyspace prod --token-prefix sk- >/dev/null
lk key create --tenant acme --keyspace prod --token-file "$dir/kept" <&- >&- 2>&- && fail "nothing could be printed, and that was fine"
expect 0 lk key verify <"$dir/kept"
