#!/bin/sh
# Roles of a tenant: made, shown, listed, changed and deleted, and found by.
. "$(dirname "$0")/lib.sh"
start_daemon

expect 0 lk tenant create acme
expect 0 lk keyspace create prod --tenant acme --token-prefix sk-

expect 0 lk role list --tenant acme
err_has '^no roles$'
expect 0 lk role create reader --tenant acme --description "Reads & lists" --permission agents:list --permission 'storage:*:read'
out_has '^ID +reader$'
out_has '^Tenant +acme$'
out_has '^Description +Reads & lists$'
out_has '^Permissions +agents:list, storage:\*:read$'
out_has '^Keys +0$'
expect 0 lk role create empty --tenant acme --output json
json .keyCount 0
json .permissions '[]'
expect 0 lk role get reader --tenant acme --output json
json .permissions '["agents:list","storage:*:read"]'
etag=$(jq -r .etag <"$dir/out")
expect 0 lk role list --tenant acme
out_has '^ID +PERMISSIONS +KEYS +DESCRIPTION'
out_has '^empty +0 '
out_has '^reader +agents:list, storage:\*:read +0 +Reads & lists'

# Only what is given changes; permissions are replaced as a whole, and may be taken away as a whole.
expect 0 lk role update reader --tenant acme --permission agents:get --etag "$etag" --output json
json .permissions '["agents:get"]'
json .description "Reads & lists"
expect 3 lk role update reader --tenant acme --permission x:y --etag "$etag"
err_has 'ABORTED'
expect 0 lk role update --role reader --tenant acme --clear permission --clear description --output json
json .permissions '[]'
json .description ""
expect 2 lk role update reader --tenant acme
err_has 'nothing is to be changed'

# What is wrong is said all together.
expect 3 lk role create Reader --tenant acme --permission 'a b' --permission '' --description "$(printf '%0257d' 0)"
err_has '4 faults'
err_has '^  role: "Reader" is not an id'
err_has '^  permissions\[0\]: '
expect 3 lk role create reader --tenant acme
err_has 'ALREADY_EXISTS'
expect 3 lk role create reader --tenant system
err_has 'root keys alone'
expect 3 lk role get nobody --tenant acme
err_has 'no role "nobody"'

# By a key's role.
expect 3 lk key list --tenant acme --role redaer
err_has 'there is no role "redaer" in tenant "acme"'
expect 0 lk key list --tenant acme --role reader
err_has '^no keys$'

expect 0 lk key create --tenant acme --keyspace prod --name one --role reader --role empty --output json
json .key.roles '["reader","empty"]'
expect 0 lk key create --tenant acme --keyspace prod --name two --role empty --output json
expect 3 lk key create --tenant acme --keyspace prod --role redaer --role empty --role empty
err_has '2 faults'
err_has '^  roles\[0\]: there is no role "redaer" in tenant "acme"'
err_has '^  roles\[2\]: "empty" is given twice'
expect 0 lk key list --tenant acme --role reader --output json
json '[.keys[].name]' '["one"]'
expect 0 lk key list --tenant acme --role empty --output json
json '.keys | length' 2
expect 0 lk role get empty --tenant acme
out_has '^Keys +2$'
expect 3 lk role delete empty --tenant acme
err_has 'FAILED_PRECONDITION: 2 keys have role "empty"'
err_has 'key list --role empty'
expect 0 lk key update 1 --tenant acme --role reader
expect 0 lk key revoke 2 --tenant acme
expect 3 lk role delete empty --tenant acme
err_has '1 key has role "empty"'
expect 0 lk key delete 2 --tenant acme

# The audit chain tells of it.
expect 0 lk audit list --tenant acme --action roles.update --output json
json '.records[0].resource' roles/reader
json '.records[0].roleBefore.permissions' '["agents:get"]'
json '.records[0].roleAfter.permissions' '[]'

# A root key that is granted one keyspace reads them, and changes none.
expect 0 lk root-key create --name narrow --methods 'roles.*' --tenants acme --keyspaces prod --token-file "$dir/narrow"
expect 0 lk role list --credential-file "$dir/narrow" --output json
json '[.roles[].id]' '["empty","reader"]'
expect 3 lk role delete empty --credential-file "$dir/narrow"
err_has 'PERMISSION_DENIED.*shared by keys of every keyspace'

expect 0 lk role delete empty --tenant acme
err_has '^deleted$'
expect 3 lk role delete empty --tenant acme
err_has 'NOT_FOUND'

# A tenant goes with what roles it has left, its keys first, and its id is free again.
expect 0 lk role get reader --tenant acme --output json
json .keyCount 1
expect 0 lk tenant delete acme --force
until lk tenant create acme >"$dir/out" 2>"$dir/err"; do
	err_has 'being removed'
done
expect 0 lk role list --tenant acme
err_has '^no roles$'
