#!/bin/sh
# key verify with all that may be asked, and key explain, against a real daemon.
. "$(dirname "$0")/lib.sh"
start_daemon

lk tenant create --tenant acme >/dev/null
lk keyspace create --tenant acme --keyspace prod --token-prefix sk- >/dev/null
lk keyspace create --tenant acme --keyspace staging --token-prefix st- >/dev/null
lk key create --tenant acme --keyspace prod --name ci --owner alice --permission chat:read --permission 'agents:*' \
	--token-file "$dir/token" >"$dir/out"
key=$(sed -n 's/^ID  *//p' "$dir/out")

# What is asked by flags.
expect 0 lk key verify --permission-expression 'chat:read and agents:install' --client-ip 2001:db8::1 --cost 7 \
	--rate-charge day --rate-charge=hour=3 <"$dir/token"
err_is_empty
out_has '^Permissions +chat:read, agents:\*$'
expect 1 lk key verify --permission-expression 'chat:send OR chat:history' <"$dir/token"
out_has '^Verdict +INSUFFICIENT_PERMISSIONS$'
out_has "^Key +$key\$"
expect 1 lk key verify --keyspace staging --tenant acme --permission-expression chat:send --output json <"$dir/token"
json .code VERIFY_CODE_WRONG_KEYSPACE
json .gates '[]'
expect 0 lk key verify --dry-run <"$dir/token"
expect 0 lk key get --key "$key" --tenant acme --output json
json .usageCount 1

# Every fault at once, each under its field.
expect 3 lk key verify --permission-expression '(chat:read' --client-ip 10.0.0.1:80 --cost 1000000000001 \
	--rate-charge Day --rate-charge day=1 --rate-charge day=2 <"$dir/token"
err_has 'INVALID_ARGUMENT: 5 faults'
err_has '^  permission_expression: at position '
err_has '^  client_ip: "10\.0\.0\.1:80" is no address'
err_has '^  cost: 1000000000001 is too much'
err_has '^  rate_charges\[0\]\.name: "Day" is no name of a limit'
err_has '^  rate_charges\[2\]\.name: "day" is charged twice'
expect 3 lk key verify --keyspace nowhere --client-ip '' --rate-charge "$(printf '%033d' 7)" <"$dir/token"
err_has 'rate_charges'
for wrong in =1 day= day=0 day=-1 day=1.5 day=x '' day=123456789012345678901; do
	expect 2 lk key verify --rate-charge "$wrong" <"$dir/token"
	err_has '^latchkey: --rate-charge'
done
expect 2 lk key verify --rate-charge
err_has 'needs a value'
expect 2 lk key verify --explain <"$dir/token"

# Nine are too many, by whatever way they come.
expect 3 lk key verify --rate-charge a --rate-charge b --rate-charge c --rate-charge d --rate-charge e --rate-charge f \
	--rate-charge g --rate-charge h --rate-charge i <"$dir/token"
err_has 'rate_charges'

# Why?
expect 0 lk key explain <"$dir/token"
err_is_empty
out_has '^Verdict +VALID$'
out_has '^EXPIRED +- +the key never expires$'
out_has '^SUSPENDED +passed +the key is not suspended$'
out_has '^IP_DENIED +- '
[ "$(grep -Ec '^[A-Z_]+ +(passed|REFUSED|-) ' "$dir/out")" -eq 11 ] || fail "not every gate is told of"
out_lacks "$(cat "$dir/token")"
! grep -q "$(printf '\033')" "$dir/out" || fail "colours where there is no terminal"
expect 1 lk key explain --permission-expression chat:send --keyspace staging --tenant acme <"$dir/token"
out_has '^Verdict +WRONG_KEYSPACE$'
out_has '^WRONG_KEYSPACE +REFUSED +the key is not good in "staging": it is of "prod"$'
out_has '^INSUFFICIENT_PERMISSIONS +REFUSED +"chat:send" is not fulfilled: the key itself permits chat:read, agents:\*$'
expect 1 lk key explain --permission-expression chat:send --output json <"$dir/token"
json '.gates | length' 11
json '.gates[8] | [.code, .outcome]' '["VERIFY_CODE_INSUFFICIENT_PERMISSIONS","GATE_OUTCOME_REFUSED"]'
json '[.gates[].outcome] | unique' '["GATE_OUTCOME_NOT_ASKED","GATE_OUTCOME_PASSED","GATE_OUTCOME_REFUSED"]'
out_lacks "$(cat "$dir/token")"
printf 'sk-nothing\n' >"$dir/wrong"
expect 1 lk key explain <"$dir/wrong"
out_has '^MALFORMED +REFUSED '
out_has '^SUSPENDED +- +there is no key to ask about$'
out_lacks 'sk-nothing'
out_has ': too short or too long for a token; was it copied whole, and without a word such as "Bearer" before it\?$'
printf 'eyJhbGciOiJub25lIn0.eyJzdWIiOiJhIn0.c2ln\n' >"$dir/wrong"
expect 1 lk key explain <"$dir/wrong"
out_has '^Verdict +NOT_FOUND$'
expect 2 lk key explain --dry-run <"$dir/token"
expect 2 lk key explain </dev/null
err_has 'no token'

# It was not a use: the one above, and none since.
expect 0 lk key get --key "$key" --tenant acme --output json
json .usageCount 1

# Who may verify, but not see keys, is told all but the last denial.
lk root-key create --name gateway --methods keys.verify --tenants acme --keyspaces prod --token-file "$dir/root" >/dev/null
expect 0 lk key explain --credential-file "$dir/root" <"$dir/token"
out_has '^CREDITS_EXHAUSTED +- '
err_has 'keys\.get refused: PERMISSION_DENIED'
err_has 'last denial is not shown'
lk root-key create --name other --methods 'keys.*' --tenants other --keyspaces '*' --token-file "$dir/other" >/dev/null
expect 1 lk key explain --credential-file "$dir/other" --permission-expression chat:send <"$dir/token"
out_has '^Verdict +NOT_FOUND$'
out_lacks alice
out_lacks prod

# Limits, credits and addresses, charged all or not at all.
expect 0 lk call latchkey.v1.KeyService/Create '{"tenant": "acme", "keyspace": "prod", "name": "limited",
	"rateLimits": [{"name": "day", "limit": "3", "period": "86400s"}, {"name": "week", "limit": "9", "period": "604800s"}],
	"credits": {"balance": "10"}, "allowedCidrs": ["192.0.2.0/24", "2001:db8::/32"]}'
jq -r .token <"$dir/out" >"$dir/limited"
expect 1 lk key verify <"$dir/limited"
out_has '^Verdict +IP_DENIED$'
out_lacks 'Credits'
expect 0 lk key verify --client-ip 192.0.2.9 --cost 4 <"$dir/limited"
out_has '^Rate limits +day: 2 left now, 3 a period, all again at 20[0-9-]+ [0-9:]+; week: 8 left now, 9 a period, all again at '
out_has '^Credits left +6$'
expect 1 lk key verify --client-ip 2001:db8::9 --cost 7 <"$dir/limited"
out_has '^Verdict +CREDITS_EXHAUSTED$'
out_has '^Credits left +6$'
expect 1 lk key verify --client-ip 192.0.2.9 --rate-charge day=3 --output json <"$dir/limited"
json .code VERIFY_CODE_RATE_LIMITED
json '[.rateStates[] | [.name, .remaining, .refused]]' '[["day","2",true]]'
json .creditsRemaining 6
for dry in --dry-run --dry-run ''; do
	# shellcheck disable=SC2086
	expect 0 lk key verify --client-ip 192.0.2.9 --rate-charge day=2 --rate-charge month=5 $dry --output json <"$dir/limited"
	json '[.rateStates[] | [.name, .remaining]]' '[["day","0"]]'
	json .creditsRemaining 5
done
expect 1 lk key verify --client-ip 192.0.2.9 <"$dir/limited"
out_has '^Rate limits +day refused: 0 left now, 3 a period, all again at .*, enough in [0-9hms]+; week: 8 left now, 9 a'
expect 0 lk key verify --client-ip 192.0.2.9 --rate-charge week <"$dir/limited"
expect 1 lk key explain --cost 5 <"$dir/limited"
out_has '^Verdict +IP_DENIED$'
out_has "^IP_DENIED +REFUSED +there is a list of addresses, and no client_ip was given; the key's list is 192\.0\.2\.0/24, 2001:db8::/32\$"
out_has "^RATE_LIMITED +REFUSED +the key's \"day\" has 0 left of 3, and the use costs 1: it would pass in [0-9hms]+; the key's \"week\" "
out_has '^CREDITS_EXHAUSTED +REFUSED +4 are left, and the use costs 5; they are not refilled$'
expect 1 lk key explain --client-ip 198.51.100.1 --rate-charge day=4 --output json <"$dir/limited"
json '.gates[7].description | startswith("198.51.100.1 is not in the list of the key;")' true
json '.gates[9].description | endswith("so much never passes at once")' true
json '.gates[10].outcome' GATE_OUTCOME_PASSED

# Why was it stopped?
expect 0 lk key suspend --key "$key" --tenant acme --reason 'the bill is not paid'
expect 1 lk key explain <"$dir/token"
out_has '^SUSPENDED +REFUSED '
out_has '^Suspend reason +the bill is not paid$'
out_lacks 'Revoke reason'
expect 1 lk key explain --output json <"$dir/token"
json '[.suspendReason, has("revokeReason")]' '["the bill is not paid",false]'
expect 0 lk key activate --key "$key" --tenant acme
expect 0 lk key explain <"$dir/token"
out_lacks 'reason'

# Why was it, the last time?
expect 1 lk key verify --permission-expression chat:send --client-ip 198.51.100.7 <"$dir/token"
expect 0 lk key explain <"$dir/token"
err_is_empty
out_has '^Verdict +VALID$'
out_has '^Last denial +INSUFFICIENT_PERMISSIONS$'
out_has '^At +20[0-9-]+ [0-9:]+$'
out_has '^From +198\.51\.100\.7$'
expect 1 lk key verify --permission-expression chat:history <"$dir/token"
expect 0 lk key explain --output json <"$dir/token"
json '.lastDenial | [.code, .clientIp]' '["VERIFY_CODE_INSUFFICIENT_PERMISSIONS",""]'
