#!/bin/sh
# Lists: what is about to happen, what nobody uses, in which order, and how many there are.
. "$(dirname "$0")/lib.sh"
start_daemon

lk tenant create acme >/dev/null
lk keyspace create prod --tenant acme --token-prefix sk- >/dev/null
lk keyspace create test --tenant acme --token-prefix tk- >/dev/null
lk key create --tenant acme --keyspace prod --name soon --owner alice --expire-time 7d --token-file "$dir/soon" >/dev/null
lk key create --tenant acme --keyspace prod --name later --owner bob --expire-time 60d --token-file "$dir/later" >/dev/null
lk key create --tenant acme --keyspace test --name never --owner alice --permission 'files:read' --token-file "$dir/never" >/dev/null
lk key verify <"$dir/later" >/dev/null

# names EXPECTED FLAG...: the names that a list with these flags has, in its order.
names() {
	expected=$1
	shift
	expect 0 lk key list --tenant acme --output json "$@"
	json '[.keys[].name] | join(" ")' "$expected"
}

names soon --expires-before 14d
names "soon later" --expires-before 90d
names "soon later never" --created-after 1d
names "" --created-before 90d
names "soon never" --unused-only
names "soon never" --last-used-before 1d
names "soon later" --keyspace prod
names "soon never" --owner alice
names later --name-prefix la
names never --permission files:read
names "soon later never" --state active
names "" --state suspended --state revoked
names "soon later never" --order-by expire_time
names "never later soon" --order-by 'create_time desc'
names "later never soon" --order-by name
names later --keyspace prod --order-by 'name' --limit 1

# The table has what an operator needs, also on a narrow terminal.
COLUMNS=110 expect 0 lk key list --tenant acme
out_has '^ID .* STATE +EXPIRES +LAST USED +USES$'
out_has ' later .* ACTIVE .* 1$'
out_has ' never .* Never +Never +0$'
err_has '^\(3 in all\)$'
expect 0 lk key list --tenant acme --unused-only --count-total --limit 1
err_has '^\(2 in all\)$'
expect 0 lk key list --tenant acme --unused-only --count-total --page-size 1 --output json
json .totalSize 2
expect 0 lk key list --tenant acme --expires-before 1m
err_has '^no keys$'

expect 0 lk key list --tenant acme --unused-only --count-total --page-size 1 --limit 5 --output json
json '[.totalSize, (.keys | length)] | join(" ")' "2 2"

# What is wrong is said by flag, or by field.
expect 2 lk key list --tenant acme --created-before soon
err_has '--created-before "soon": .* how long ago'
expect 2 lk key list --tenant acme --state asleep
err_has '--state "asleep": give one of active\|suspended\|revoked\|expired'
expect 3 lk key list --tenant acme --order-by usage_count
err_has 'order_by'
