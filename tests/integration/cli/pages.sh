#!/bin/sh
# Lists: all pages by default, one where the user turns them, and a limit.
. "$(dirname "$0")/lib.sh"
start_daemon

for i in $(seq 1 7); do
	expect 0 lk tenant create --tenant "t$i"
done

expect 0 lk tenant list --output json
json '[.tenants[].id] | join(" ")' "system t1 t2 t3 t4 t5 t6 t7"
json .nextPageToken ""
expect 0 lk tenant list --limit 3 --output json
json '[.tenants[].id] | join(" ")' "system t1 t2"

expect 0 lk tenant list --page-size 5 --output json
json '.tenants | length' 5
next=$(jq -r .nextPageToken <"$dir/out")
[ -n "$next" ] || fail "no token for the next page"
expect 0 lk tenant list --page-size 5 --page-token "$next" --output json
json '[.tenants[].id] | join(" ")' "t5 t6 t7"
expect 0 lk tenant list --page-size 5
err_has '^\(more with --page-token .+\)$'

# A limit is kept whatever the pages are.
expect 0 lk tenant list --limit 3 --page-size 2 --output json
json '[.tenants[].id] | join(" ")' "system t1 t2"
expect 0 lk tenant list --limit 1 --page-token "$next" --output json
json '[.tenants[].id] | join(" ")' "t5"
