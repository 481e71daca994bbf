#!/bin/sh
# latchkey call: any method, through reflection.
. "$(dirname "$0")/lib.sh"
start_daemon

expect 0 lk call HealthService/Check
json .status SERVING_STATUS_SERVING
expect 0 lk call latchkey.v1.TenantService/Create '{"tenant": "acme", "displayName": "Acme"}'
json .id acme
expect 0 lk call KeyspaceService/Create \
	'{"tenant": "acme", "keyspace": "prod", "policy": {"token_prefix": "sk-", "defaultTtl": "3600s"}}'
json .policy.defaultTtl 3600s

printf '{"tenant": "acme", "keyspace": "prod", "metadata": {"a": "1"}, "scope": "KEY_SCOPE_TENANT"}' >"$dir/request"
expect 0 lk call KeyService/Create "@$dir/request"
json .key.metadata.a 1
json .key.scope KEY_SCOPE_TENANT
token=$(jq -r .token <"$dir/out")

printf '{"token": "%s"}' "$token" >"$dir/request"
expect 0 lk call KeyService/Verify - <"$dir/request"
json .code VERIFY_CODE_VALID

expect 2 lk call KeyService/Verfy
err_has 'did you mean KeyService/Verify\?'
expect 2 lk call KeyService/Get '{"kee": "1"}'
err_has 'kee'
expect 2 lk call KeyService/Get '{"key": 1}'
err_has 'key'
expect 2 lk call KeyService/List '{"pageSize": 99999999999}'
expect 2 lk call KeyService/Get '[]'
expect 3 lk call KeyService/Get '{"tenant": "acme", "key": "99"}'
err_has '^latchkey: keys\.get refused: NOT_FOUND'
# A fault does not repeat a secret.
expect 2 lk call KeyService/Verify "{\"token\": [\"$token\"]}"
! grep -Fq -e "$token" "$dir/err" || fail "a token in an error"
