#!/bin/sh
# Credits: given, spent, adjusted, and what the audit says of it.
. "$(dirname "$0")/lib.sh"
start_daemon

lk tenant create acme >/dev/null
lk keyspace create prod --tenant acme --token-prefix sk- >/dev/null
expect 0 lk key create --tenant acme --keyspace prod --name spender --credits 3 --token-file "$dir/token" --output json
json .key.credits.balance 3
key=$(jq -r .key.id <"$dir/out")

# To the last, and no further; a refused verdict takes nothing.
for _ in 1 2 3; do
	expect 0 lk key verify <"$dir/token"
done
expect 1 lk key verify <"$dir/token"
out_has '^Verdict +CREDITS_EXHAUSTED$'
expect 0 lk key get 1 --tenant acme --output json
json .credits.balance 0

# By the number or the id; what is left is shown at once, and is what can be spent.
expect 0 lk key adjust-credits 1 --tenant acme --add 2
out_has '^Credits left +2$'
expect 0 lk key verify <"$dir/token"
expect 0 lk key adjust-credits --key "$key" --tenant acme --take 5 --output json
json .credits.balance 0
expect 1 lk key verify <"$dir/token"
expect 0 lk key adjust-credits 1 --tenant acme --set 1 --output json
json .credits.balance 1
expect 0 lk key verify <"$dir/token"
expect 1 lk key verify <"$dir/token"
expect 0 lk key adjust-credits 1 --tenant acme --set 0 --output json
json .credits.balance 0
json .usageCount 5

# One of the three, and no more than there may be.
expect 3 lk key adjust-credits 1 --tenant acme
err_has 'INVALID_ARGUMENT: adjustment: is needed: give set, add or take'
expect 3 lk key adjust-credits 1 --tenant acme --add 1000000000001
err_has 'INVALID_ARGUMENT: add: 1000000000001 is too many: give at most 1000000000000'
expect 3 lk key adjust-credits 4711 --tenant acme --add 1
err_has 'NOT_FOUND'
expect 2 lk key adjust-credits 1 --tenant acme --add -1
expect 2 lk key adjust-credits 1 --tenant acme --add 1 --take 1

# A key that needs no credits has none to adjust, and is told how to get some.
expect 0 lk key create --tenant acme --keyspace prod --name free --token-file "$dir/free"
expect 3 lk key adjust-credits 2 --tenant acme --add 1
err_has 'FAILED_PRECONDITION'
err_has 'give it some by an Update of its credits'
expect 0 lk key update 2 --tenant acme --credits 10
expect 0 lk key adjust-credits 2 --tenant acme --add 1 --output json
json .credits.balance 11

# The audit has who did what.
expect 0 lk audit list --tenant acme --limit 1 --output json
json '.records[0].method' latchkey.v1.KeyService/AdjustCredits
json '.records[0].keyAfter.credits.balance' 11
