#!/bin/sh
# Changing and ending keyspaces and tenants, with the keys in them.
. "$(dirname "$0")/lib.sh"
start_daemon

lk tenant create acme --display-name Acme >/dev/null
lk keyspace create prod --tenant acme --token-prefix sk- --max-ttl 90d >/dev/null
lk keyspace create test --tenant acme --token-prefix tk- >/dev/null
lk key create --tenant acme --keyspace prod --expire-time 30d --token-file "$dir/prod" >/dev/null
lk key create --tenant acme --keyspace test --token-file "$dir/test" >/dev/null

expect 0 lk tenant update acme --display-name 'Acme Ltd'
out_has '^Name +Acme Ltd$'
expect 0 lk keyspace update prod --tenant acme --name-required --default-ttl 30d --default-permission files:read
out_has '^Name required +yes$'
out_has '^Default TTL +30d$'
out_has '^Maximum TTL +90d$'
out_has '^Permissions +files:read$'
expect 0 lk keyspace update prod --tenant acme --clear max-ttl --name-required=false --output json
json .policy.maxTtl null
json .policy.nameRequired false
json .policy.defaultTtl 2592000s
expect 3 lk keyspace update prod --tenant acme --display-length 99
err_has 'display_length'
expect 3 lk keyspace update absent --tenant acme --display-name x
err_has 'NOT_FOUND'

# With live keys only by force, and then no key verifies.
expect 3 lk keyspace delete test --tenant acme
err_has 'FAILED_PRECONDITION'
expect 0 lk key verify <"$dir/test"
expect 0 lk keyspace delete test --tenant acme --force
err_has '^deleted$'
expect 1 lk key verify <"$dir/test"
out_has '^Verdict +NOT_FOUND$'
expect 0 lk key verify <"$dir/prod"
expect 3 lk keyspace get test --tenant acme
err_has 'NOT_FOUND'
expect 3 lk tenant delete acme
err_has 'FAILED_PRECONDITION'
expect 0 lk tenant delete acme --force --output json
json . '{}'
expect 1 lk key verify <"$dir/prod"
out_has '^Verdict +NOT_FOUND$'
expect 0 lk tenant list --output json
json '[.tenants[].id]' '["system"]'
