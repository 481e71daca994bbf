#!/bin/sh
# Changing keys: update by the flags that are given, states, and a new secret with an overlap.
. "$(dirname "$0")/lib.sh"
start_daemon

lk tenant create acme >/dev/null
lk keyspace create prod --tenant acme --token-prefix sk- >/dev/null
expect 0 lk key create --tenant acme --keyspace prod --name ci --owner alice --metadata team=core --permission files:read \
	--token-file "$dir/token" --output json
key=$(jq -r .key.id <"$dir/out")
json .key.permissions '["files:read"]'

# Only what is given changes; a flag's field is cleared by --clear.
expect 0 lk key update 1 --tenant acme --name build --expire-time 30d
out_has '^Name +build$'
out_has '^Owner +alice$'
out_has '^Permissions +files:read$'
expect 0 lk key update --key "$key" --tenant acme --clear owner --clear expire-time --metadata a=1 --metadata b=2 --output json
json .owner ""
json .expireTime null
json .metadata '{"a":"1","b":"2"}'
json .name build
etag=$(jq -r .etag <"$dir/out")
expect 0 lk key update "$key" --tenant acme --permission 'files:*' --etag "$etag" --output json
json .permissions '["files:*"]'
expect 3 lk key update "$key" --tenant acme --permission 'x:y' --etag "$etag"
err_has '^latchkey: keys\.update refused: ABORTED'
expect 2 lk key update "$key" --tenant acme
err_has 'nothing is to be changed'
expect 2 lk key update "$key" --tenant acme --clear id
expect 3 lk key update "$key" --tenant acme --name "$(printf '%0101d' 0)" --permission '::'
err_has '2 faults'
err_has '^  (key\.)?name: '
err_has '^  (key\.)?permissions'
expect 0 lk call KeyService/Update "{\"tenant\": \"acme\", \"key\": {\"id\": \"1\", \"owner\": \"bob\"}, \"updateMask\": \"owner\"}"
json .owner bob

# States, and that a verdict knows them.
expect 0 lk key suspend 1 --tenant acme --reason "looked into"
out_has '^State +SUSPENDED$'
out_has '^Suspend reason +looked into$'
out_has '^Actions +.*ACTIVATE'
expect 1 lk key verify <"$dir/token"
out_has '^Verdict +SUSPENDED$'
expect 0 lk key list --tenant acme --state suspended --output json
json '.keys | length' 1
expect 0 lk key activate 1 --tenant acme --output json
json .state KEY_STATE_ACTIVE
expect 0 lk key verify <"$dir/token"
out_has '^Permissions +files:\*$'

# Rotate: the new token in a file of our own, the old one good for a while.
expect 0 lk key rotate 1 --tenant acme --overlap 1h --token-file "$dir/new"
[ "$(stat -c %a "$dir/new")" = 600 ] || fail "others may read the new token's file"
out_has '^Old secret ends +20'
err_has '^The old token is good until 20[0-9-]+ [0-9:]+'
out_lacks "$(cat "$dir/new")"
expect 0 lk key verify <"$dir/new"
! grep -q '^Secret ends' "$dir/out" || fail "the new secret ends"
expect 0 lk key verify <"$dir/token"
out_has '^Secret ends +20'
expect 2 lk key rotate 1 --tenant acme --token-file "$dir/new"
err_has 'it is there already: give a new name, or remove it'
expect 0 lk key rotate 1 --tenant acme
err_has '^The old token is good no more\.$'
err_has 'shown this once'
tail -n 1 "$dir/out" >"$dir/newest"
expect 0 lk key verify <"$dir/newest"
expect 1 lk key verify <"$dir/new"
out_has '^Verdict +REVOKED$'
expect 1 lk key verify <"$dir/token"
out_has '^Verdict +NOT_FOUND$'

# What a state does not allow.
expect 0 lk key revoke 1 --tenant acme --reason gone
expect 3 lk key rotate 1 --tenant acme --token-file "$dir/none"
err_has 'FAILED_PRECONDITION'
[ ! -e "$dir/none" ] || fail "a file for a token that never was"
expect 3 lk key activate 1 --tenant acme
err_has 'FAILED_PRECONDITION'
expect 3 lk key update 1 --tenant acme --name x
err_has 'FAILED_PRECONDITION'

# Root keys: the same verbs, and a grant that is replaced as a whole.
expect 0 lk root-key create --name gateway --methods keys.verify --tenants acme --keyspaces '*' --token-file "$dir/root" --output json
root=$(jq -r .key.id <"$dir/out")
expect 2 lk root-key update "$root" --methods 'keys.*'
err_has '--tenants is missing'
expect 0 lk root-key update "$root" --methods 'keys.*' --tenants acme --keyspaces '*' --own-only=false --output json
json .grant.methods '["keys.*"]'
json .name gateway
expect 0 lk key list --credential-file "$dir/root"
expect 0 lk root-key suspend "$root"
expect 3 lk key list --credential-file "$dir/root"
err_has 'UNAUTHENTICATED'
expect 0 lk root-key activate "$root"
expect 0 lk root-key rotate "$root" --token-file "$dir/root2"
expect 0 lk key list --credential-file "$dir/root2"
expect 3 lk key list --credential-file "$dir/root"
