#!/bin/sh
# Every verb against a real daemon, as a table and as JSON.
. "$(dirname "$0")/lib.sh"
start_daemon

expect 0 lk health check
out_has '^Status +SERVING$'
expect 0 lk health check --output json
json .status SERVING_STATUS_SERVING

expect 0 lk whoami
out_has '^Kind +OPERATOR$'
expect 0 lk --output json whoami
json .caller "uid:$(id -u)"

# The daemon's own is there from the start.
expect 0 lk tenant list --output json
json '[.tenants[].id]' '["system"]'

expect 0 lk tenant create --tenant acme --display-name "Zoë & 日本"
err_is_empty
out_has '^Name +Zoë & 日本$'
expect 0 lk tenant create --tenant bravo --validate-only
expect 0 lk tenant get --tenant acme --output json
json .displayName "Zoë & 日本"
json '.createTime | test("^20[0-9-]+T[0-9:.]+Z$")' true
expect 0 lk tenant list
out_has '^ID +NAME +CREATED$'
out_has '^acme +Zoë'
out_lacks bravo

expect 0 lk keyspace list --tenant acme
[ ! -s "$dir/out" ] || fail "rows of nothing"
err_has '^no keyspaces$'
expect 0 lk keyspace create --tenant acme --keyspace prod --token-prefix sk- --display-length 9 --default-ttl 30d \
	--max-ttl 90d --name-required
out_has '^Default TTL +30d$'
out_has '^Name required +yes$'
expect 0 lk keyspace get --tenant acme --keyspace prod --output json
json .policy.tokenPrefix sk-
json .policy.defaultTtl 2592000s
json .policy.nameUnique false
expect 0 lk keyspace list --tenant acme
out_has '^prod .*sk- +30d '

expect 0 lk key list --tenant acme
err_has '^no keys$'
expect 0 lk key create --tenant acme --keyspace prod --name ci --owner alice --metadata team=core --metadata env=prod \
	--scope tenant
err_has 'shown this once'
out_has '^Metadata +(env=prod, team=core|team=core, env=prod)$'
out_has '^Scope +TENANT$'
out_has '^Prefix +sk-'
token=$(tail -n 1 "$dir/out")
key=$(sed -n 's/^ID  *//p' "$dir/out")
printf '%s' "$token" | grep -Eqx 'sk-[0-9A-Za-z]{38}' || fail "the last line is no token"

expect 0 lk key create --tenant acme --keyspace prod --name second --expire-time 60d --output json
json '.token | length' 41
second_token=$(jq -r .token <"$dir/out")
second=$(jq -r .key.id <"$dir/out")
expires=$(jq -r '.key.expireTime[:10]' <"$dir/out")
[ "$expires" = "$(date -u -d '+60 days' +%F)" ] || [ "$expires" = "$(date -u -d '+60 days -5 minutes' +%F)" ] ||
	fail "expires on $expires"

expect 0 lk key get --tenant acme --key "$key"
out_has "^ID +$key\$"
out_has '^Last used +Never$'
out_lacks "$token"
expect 0 lk key get --tenant acme --key 2 --output json
json .id "$second"
json .number 2

printf '%s\n' "$token" >"$dir/token"
expect 0 lk key verify <"$dir/token"
out_has '^Verdict +VALID$'
out_has "^Key +$key\$"
out_has '^Owner +alice$'
printf '%s\r\n' "$token" >"$dir/token"
expect 0 lk key verify --tenant acme --keyspace prod --output json <"$dir/token"
json .valid true
json .code VERIFY_CODE_VALID
json .key.metadata.team core

expect 0 lk key list --tenant acme
out_has "^$key +ci .*ACTIVE"
out_has "^$second +second .*ACTIVE +$expires "
out_lacks "$token"
out_lacks "$second_token"
expect 0 lk key list --tenant acme --keyspace prod --output json
json '.keys | length' 2
json '.keys[0].usageCount' 2
out_lacks "$token"

expect 0 lk key revoke --tenant acme --key "$key" --reason "left the company"
out_has '^State +REVOKED$'
out_has '^Revoke reason +left the company$'
expect 1 lk key verify <"$dir/token"
out_has '^Verdict +REVOKED$'
expect 1 lk key verify --output json <"$dir/token"
json .valid false
json .code VERIFY_CODE_REVOKED

# Why it is refused is told by the key itself, and counted by its keyspace.
expect 0 lk key get --tenant acme --key "$key"
out_has '^Last denial +REVOKED$'
out_has '^Denied at +20'
expect 0 lk key get --tenant acme --key "$key" --output json
json .lastDenial.code VERIFY_CODE_REVOKED
json .lastDenial.clientIp ''
expect 0 lk key get --tenant acme --key "$second"
out_lacks 'Last denial'
expect 0 lk keyspace get --tenant acme --keyspace prod
out_has '^Denials +REVOKED=2$'
expect 0 lk keyspace get --tenant acme --keyspace prod --output json
json '.denials[0].count' 2

expect 0 lk key delete --tenant acme --key "$key"
err_has '^deleted$'
expect 1 lk key verify <"$dir/token"
out_has '^Verdict +NOT_FOUND$'
expect 0 lk key delete --tenant acme --key "$second" --output json
json . '{}'

# Root keys, and with one of them as another caller.
expect 0 lk root-key list
err_has '^no root keys$'
expect 0 lk root-key create --name gateway --methods 'keys.*' --tenants acme --keyspaces '*' --token-file "$dir/root"
out_has '^Methods +keys\.\*$'
[ "$(stat -c %a "$dir/root")" = 600 ] || fail "others may read the token's file"
grep -Eqx 'lkr_[0-9A-Za-z]{38}' "$dir/root" || fail "no root key in the file"
out_lacks "$(cat "$dir/root")"
root=$(sed -n 's/^ID  *//p' "$dir/out")
expect 0 lk root-key list
out_has "^$root +gateway +ACTIVE .*keys\.\* +acme"
expect 0 lk root-key get --key "$root" --output json
json .grant.methods '["keys.*"]'
json .tenant system
expect 0 lk whoami --url "$tcp_url" --credential-file "$dir/root" --output json
json .kind CALLER_KIND_ROOT_KEY
json .caller "key:$root"
json .methods[0] latchkey.v1.AdminService/WhoAmI
json '.methods | map(select(startswith("latchkey.v1.TenantService/"))) | length' 0
expect 0 lk whoami --url "$tcp_url" --credential-file "$dir/root"
out_has '^Kind +ROOT_KEY$'
out_has '^Expires +Never$'
out_has '^Own keys only +no$'
out_has '^KeyService +Create, Get, List, '
out_lacks TenantService
expect 0 lk root-key create --name alices --owner alice --own-only --methods '*' --tenants acme --keyspaces '*' \
	--token-file "$dir/own"
out_has '^Own keys only +yes$'
out_has '^Owner +alice$'
own=$(sed -n 's/^ID  *//p' "$dir/out")
expect 0 lk root-key list
out_has "^$own +alices .* yes +alice"
expect 0 lk whoami --url "$tcp_url" --credential-file "$dir/own"
out_has '^Subject +alice$'
out_has '^TenantService +Get, List$'
out_lacks AuditService
expect 3 lk audit list --url "$tcp_url" --credential-file "$dir/own"
err_has 'own_only'
expect 0 lk key create --tenant acme --keyspace prod --name mine --url "$tcp_url" --credential-file "$dir/own"
out_has '^Owner +alice$'
expect 3 lk key create --tenant acme --keyspace prod --name his --owner bob --url "$tcp_url" --credential-file "$dir/own"
err_has 'PERMISSION_DENIED'
expect 0 lk root-key delete --key "$own"
expect 3 lk root-key create --name none --own-only --methods '*' --tenants acme --keyspaces '*'
err_has 'owner'
expect 3 lk root-key create --name typo --methods keys.verfy --tenants acme --keyspaces '*'
err_has '"keys.verify"'
LATCHKEY_CREDENTIAL=$(cat "$dir/root")
export LATCHKEY_CREDENTIAL
expect 0 lk key list --url "$tcp_url"
expect 3 lk tenant list --url "$tcp_url"
err_has 'PERMISSION_DENIED'
unset LATCHKEY_CREDENTIAL
expect 0 lk root-key revoke --key "$root"
expect 3 lk whoami --credential-file "$dir/root"
err_has 'UNAUTHENTICATED'
expect 0 lk root-key delete --key "$root"
