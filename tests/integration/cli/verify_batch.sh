#!/bin/sh
# key verify-batch: a file of tokens, one a line, against a real daemon.
. "$(dirname "$0")/lib.sh"
start_daemon

lk tenant create --tenant acme >/dev/null
lk keyspace create --tenant acme --keyspace prod --token-prefix sk- >/dev/null
lk key create --tenant acme --keyspace prod --name ci --owner alice --permission chat:read \
	--token-file "$dir/token" >"$dir/out"
key=$(sed -n 's/^ID  *//p' "$dir/out")
lk key create --tenant acme --keyspace prod --name paid --owner bob --credits 3 --token-file "$dir/paid" >"$dir/out"

# All are good.
cat "$dir/token" "$dir/paid" >"$dir/good"
expect 0 lk key verify-batch "$dir/good"
err_is_empty
out_has '^LINE +VERDICT +KEY +TENANT +KEYSPACE +NAME +OWNER'
out_has "^1 +VALID +$key +acme +prod +ci +alice"
out_has '^2 +VALID +key_[0-9a-z]+ +acme +prod +paid +bob'
[ "$(wc -l <"$dir/out")" -eq 3 ] || fail "more than a header and two rows"
out_lacks "$(cat "$dir/token")"

# One that is not, an empty line, one without an end, and bytes that are no text: each has its line.
{
	cat "$dir/paid"
	echo sk-0123456789ABCDEFGHIJKLMNOPQRSTUV1ZZLQw
	echo
	printf 'sk-\377\376\000\001\n'
	cat "$dir/paid" "$dir/paid"
	printf %s "$(cat "$dir/token")"
} >"$dir/mixed"
expect 1 lk key verify-batch - <"$dir/mixed"
err_is_empty
out_has '^1 +VALID'
out_has '^2 +NOT_FOUND'
out_has '^3 +MALFORMED'
out_has '^4 +MALFORMED'
out_has '^5 +VALID'
out_has '^6 +CREDITS_EXHAUSTED +key_'
out_has '^7 +VALID'

# A line of JSON each.
expect 1 lk key verify-batch --dry-run --output json - <"$dir/mixed"
[ "$(wc -l <"$dir/out")" -eq 7 ] || fail "not a line of JSON each"
[ "$(jq -r '.verdict.code' <"$dir/out" | sort | uniq -c | tr -s ' ' | tr '\n' ';')" = \
	" 3 VERIFY_CODE_CREDITS_EXHAUSTED; 2 VERIFY_CODE_MALFORMED; 1 VERIFY_CODE_NOT_FOUND; 1 VERIFY_CODE_VALID;" ] ||
	fail "other verdicts"
[ "$(jq -r .line <"$dir/out" | tr '\n' ' ')" = '1 2 3 4 5 6 7 ' ] || fail "other lines"
[ "$(tail -n 1 "$dir/out" | jq -r .verdict.key.id)" = "$key" ] || fail "another key"
out_lacks "$(cat "$dir/token")"

# What is asked about each of them.
expect 0 lk key verify-batch --permission-expression chat:read --client-ip 192.0.2.1 --rate-charge day=3 --tenant acme \
	"$dir/token"
expect 1 lk key verify-batch --permission-expression chat:send "$dir/token"
out_has '^1 +INSUFFICIENT_PERMISSIONS'
expect 3 lk key verify-batch --permission-expression 'chat:send and' --client-ip nowhere --rate-charge Day "$dir/good"
err_has 'keys\.verify refused: INVALID_ARGUMENT: 3 faults'
err_has '^  client_ip: "nowhere" is no address'
err_has '^  permission_expression: at position '
err_has '^  rate_charges\[0\]\.name: "Day" is no name'
[ ! -s "$dir/out" ] || fail "something was shown"
expect 3 lk key verify-batch --permission-expression "$(printf '%01001d' 0)" "$dir/good"
err_has 'permission_expression: at position 1001: the expression has 1001 characters'

# More than one call: 2,500 lines, and long ones.
awk '{ for (i = 0; i < 2500; i++) print }' "$dir/token" >"$dir/many"
expect 0 lk key verify-batch --output json "$dir/many"
[ "$(tail -n 1 "$dir/out" | jq -r .line)" = 2500 ] || fail "not all 2,500 lines are answered"
[ "$(grep -c '"code":"VERIFY_CODE_VALID"' "$dir/out")" -eq 2500 ] || fail "not all are VALID"

# A table has 10,000 rows at most, so that one of many lines takes no memory without end.
awk '{ for (i = 0; i < 20001; i++) print }' "$dir/token" >"$dir/very-many"
expect 0 lk key verify-batch "$dir/very-many"
[ "$(grep -c '^LINE ' "$dir/out")" -eq 3 ] || fail "20,001 rows are not three tables"
[ "$(grep -c '^[0-9]* *VALID ' "$dir/out")" -eq 20001 ] || fail "not all 20,001 lines are shown"
out_has '^20001 +VALID'

# Lines of JSON are there as soon as they are answered: the first thousand, while the reader waits for more.
mkfifo "$dir/tokens" "$dir/verdicts"
lk key verify-batch --output json "$dir/tokens" >"$dir/verdicts" 2>"$dir/err" &
batch=$!
exec 9<"$dir/verdicts" 8>"$dir/tokens"
head -n 1001 "$dir/very-many" >&8
head -n 1000 <&9 >"$dir/first"
[ "$(tail -n 1 "$dir/first" | jq -r .line)" = 1000 ] || fail "the first thousand came late"
exec 8>&-
cat <&9 >/dev/null
exec 9<&-
wait "$batch" || fail "key verify-batch of a pipe exited with $?"

i=0
while [ $i -lt 20 ]; do
	printf '%0100000d\n' 0
	i=$((i + 1))
done >"$dir/long"
cat "$dir/token" >>"$dir/long"
expect 1 lk key verify-batch --output json "$dir/long"
[ "$(grep -c VERIFY_CODE_MALFORMED "$dir/out")" -eq 20 ] || fail "not all long ones are MALFORMED"
[ "$(tail -n 1 "$dir/out" | jq -r '"\(.line) \(.verdict.code)"')" = '21 VERIFY_CODE_VALID' ] || fail "the last is not VALID"
printf '%0200000d\n' 0 >"$dir/longest"
expect 2 lk key verify-batch "$dir/longest"
err_has 'line 1: too long'

# Wrong usage.
expect 2 lk key verify-batch
expect 2 lk key verify-batch "$dir/nowhere"
err_has 'cannot read the tokens: .*: No such file or directory: give a file with a token a line, or - for standard input'
# A token in the place of the file is not said again.
expect 2 lk key verify-batch "$(cat "$dir/token")"
err_has 'cannot read the tokens: '
! grep -qF "$(cat "$dir/token")" "$dir/err" || fail "the token is said again"
expect 2 lk key verify-batch - </dev/null
err_has 'there is no token'
expect 2 lk key verify-batch --explain "$dir/good"
expect 2 lk key verify-batch "$dir/good" "$dir/good"

# Nobody there.
stop_daemon
expect 4 lk --timeout 300ms key verify-batch "$dir/good"
