#!/bin/sh
# Roles, addresses, rate limits and credits by the command line: given, shown, changed, cleared, exported and imported.
. "$(dirname "$0")/lib.sh"
start_daemon

lk tenant create acme >/dev/null
lk role create admin --tenant acme --permission '*' >/dev/null
lk role create reader --tenant acme --permission 'files:read' >/dev/null

# A keyspace: addresses for all of its keys, limits for those that are given none.
expect 3 lk keyspace create prod --tenant acme --token-prefix sk- --allowed-cidr 10.0.0.1/8 --allowed-cidr 10.1 \
	--rate-limit Day=0/1d --rate-limit hour=5/1h:6
err_has '5 faults'
err_has '^  allowed_cidrs\[0\]: "10\.0\.0\.1/8" has bits behind its prefix: give "10\.0\.0\.0/8"'
err_has '^  allowed_cidrs\[1\]: '
err_has '^  policy\.default_rate_limits\[0\]\.name: '
err_has '^  policy\.default_rate_limits\[0\]\.limit: '
err_has '^  policy\.default_rate_limits\[1\]\.burst: '
expect 0 lk keyspace create prod --tenant acme --token-prefix sk- --allowed-cidr 10.0.0.0/8 --rate-limit day=1000/1d
out_has '^Addresses +10\.0\.0\.0/8$'
out_has '^Rate limits +day=1000/1d$'
expect 0 lk keyspace update prod --tenant acme --allowed-cidr ::ffff:10.0.0.0/104 --allowed-cidr 2001:DB8::1 \
	--rate-limit day=1000/1d --rate-limit burst=600/1m:20 --output json
json .allowedCidrs '["10.0.0.0/8","2001:db8::1/128"]'
json '.policy.defaultRateLimits | map(.burst)' '["1000","20"]'
expect 0 lk keyspace update prod --tenant acme --clear allowed-cidr
out_lacks Addresses
out_has '^Rate limits +day=1000/1d, burst=600/1m:20$'

# A key, of the keyspace's limits, and one of its own. A list has columns for what one of its keys has.
expect 0 lk key list --tenant acme
expect 0 lk key create --tenant acme --keyspace prod --name plain --token-file "$dir/plain"
out_has '^Rate limits +day=1000/1d, burst=600/1m:20$'
out_lacks Credits
expect 0 lk key update 1 --tenant acme --clear rate-limit
out_lacks 'Rate limits'
expect 0 lk key list --tenant acme
out_lacks CREDITS
out_lacks ROLES
expect 0 lk key create --tenant acme --keyspace prod --name full --role admin --role reader --allowed-cidr 192.0.2.7 \
	--rate-limit requests=600/1m:20 --credits 500 --refill-amount 100 --refill-interval month --refill-mode add \
	--token-file "$dir/full"
out_has '^Roles +admin, reader$'
out_has '^Addresses +192\.0\.2\.7/32$'
out_has '^Rate limits +requests=600/1m:20$'
out_has '^Credits left +500$'
out_has '^Refill +100$'
out_has '^Refill each +MONTH$'
out_has '^Refill mode +ADD$'
out_has '^Next refill +[0-9-]+-01 00:00:00$'
expect 0 lk key list --tenant acme
out_has '^ID .*ROLES +CREDITS +LIMITS$'
out_has ' full .* admin, reader +500 +requests=600/1m:20$'

# What is wrong is said together, by the flags' fields.
expect 3 lk key create --tenant acme --keyspace prod --role nobody --allowed-cidr nowhere --rate-limit x=1/400d \
	--credits 99999999999999
err_has '4 faults'
err_has '^  roles\[0\]: there is no role "nobody"'
err_has '^  rate_limits\[0\]\.period: '
expect 2 lk key create --tenant acme --keyspace prod --rate-limit 600/1m
err_has 'give NAME=LIMIT/PERIOD\[:BURST\]'
expect 2 lk root-key create --name r --methods '*' --tenants '*' --keyspaces '*' --credits 5
err_has 'no flag --credits'

# An update changes what it names alone; a limit of the same name goes on, a balance is set anew.
expect 0 lk key update 2 --tenant acme --name other --output json
json '[.credits.balance, (.rateLimits | length), (.roles | length)]' '["500",1,2]'
etag=$(jq -r .etag <"$dir/out")
expect 0 lk key update 2 --tenant acme --rate-limit requests=600/1m:20 --role admin --role reader --output json
json .etag "$etag"
expect 0 lk key update 2 --tenant acme --role reader --credits 7 --output json
json '[.roles, .credits.balance, .credits.refill]' '[["reader"],"7",null]'
expect 2 lk key update 2 --tenant acme --refill-amount 5 --refill-interval day
err_has '^latchkey: --credits is missing'
expect 0 lk key update 2 --tenant acme --clear role --clear credits --clear allowed-cidr --output json
json '[.roles, .credits, .allowedCidrs]' '[[],null,[]]'

# Out, and in again: what an export tells is what an import takes.
lk key update 2 --tenant acme --role admin --allowed-cidr 2001:db8::/32 --credits 40 --refill-amount 9 --refill-interval day \
	>/dev/null
expect 0 lk key export --tenant acme
jq -c 'if .key then {key: (.key | del(.id, .displayPrefix)), token: "copy-\(.key.name)-0123456789"} else . end' <"$dir/out" >"$dir/copies"
lk tenant create copy >/dev/null
lk keyspace create prod --tenant copy --token-prefix sk- >/dev/null
expect 3 lk key import "$dir/copies" --tenant copy
err_has '^line 3: roles\[0\]: there is no role "admin" in tenant "copy"'
lk role create admin --tenant copy >/dev/null
expect 0 lk key import "$dir/copies" --tenant copy --output json
json .imported 2
rules='[.keys[] | {name, roles, allowedCidrs, rateLimits, credits}]'
expect 0 lk key list --tenant copy --order-by create_time --output json
jq -Sc "$rules" <"$dir/out" >"$dir/copied"
expect 0 lk key list --tenant acme --order-by create_time --output json
jq -Sc "$rules" <"$dir/out" >"$dir/first"
cmp "$dir/first" "$dir/copied" || fail "the keys came out otherwise than they went in"
json '.keys[1].credits.balance' 40
# By key, what is wrong with one.
cat >"$dir/bad" <<END
{"token": "good-token-1", "roles": ["admin"], "rateLimits": [{"name": "r", "limit": 5, "period": "60s"}]}
{"token": "bad-token-2", "allowedCidrs": ["10.0.0.0/33"], "credits": {"balance": "1", "refill": {"amount": 0}}}
{"token": "bad-token-3", "rateLimits": [{"name": "r", "limit": "many"}]}
END
expect 0 lk key import "$dir/bad" --tenant copy --keyspace prod --skip-faulty --output json
json '[.imported, .faulty]' '[1,2]'
err_has '^line 2: allowed_cidrs\[0\]: '
err_has '^line 2: credits\.refill\.amount: '
err_has '^line 2: credits\.refill\.interval: '
err_has '^line 3, column [0-9]+: rateLimits: '
