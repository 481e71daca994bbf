#!/bin/sh
# Owners: rate limits that all keys of one share, given, shown, changed and taken away.
. "$(dirname "$0")/lib.sh"
start_daemon

expect 0 lk tenant create acme

expect 0 lk owner list --tenant acme
err_has '^no owners with limits$'
expect 0 lk owner create 'Ann <ann@example.org>' --tenant acme --rate-limit calls=600/1m:20 --rate-limit tokens=1000/1d
out_has '^Owner +Ann <ann@example.org>$'
out_has '^Rate limits +calls=600/1m:20, tokens=1000/1d$'
out_has '^calls +20 +now$'
expect 0 lk owner get 'Ann <ann@example.org>' --tenant acme --output json
json '[.rateLimits[].name]' '["calls","tokens"]'
json .rateLimits[0].limit 600
json .rateLimits[0].burst 20
json .rateStates[1].remaining 1000
json .rateStates[1].shared true
etag=$(jq -r .etag <"$dir/out")
expect 0 lk owner list --tenant acme
out_has '^OWNER +RATE LIMITS'
out_has '^Ann <ann@example.org> +calls=600/1m:20, tokens=1000/1d'

expect 0 lk owner update --owner 'Ann <ann@example.org>' --tenant acme --rate-limit calls=60/1m --etag "$etag" --output json
json '[.rateLimits[].limit]' '["60"]'
expect 3 lk owner update 'Ann <ann@example.org>' --tenant acme --rate-limit calls=70/1m --etag "$etag"
err_has 'ABORTED'
expect 2 lk owner update 'Ann <ann@example.org>' --tenant acme
err_has 'nothing is to be changed: give a field'"'"'s flag with its new value$'
expect 0 lk audit list --tenant acme --action owners.update --output json
json '.records[0].resource' 'owners/Ann <ann@example.org>'
json '.records[0].ownerBefore.rateLimits | length' 2
json '.records[0].ownerAfter.rateStates' '[]'

# What is wrong is said all together.
expect 3 lk owner create ' ' --tenant acme --rate-limit calls=0/1m --rate-limit calls=10/0s
err_has '^  owner: is needed'
err_has '^  rate_limits\[0\]\.limit: '
err_has '^  rate_limits\[1\]\.name: '
err_has '^  rate_limits\[1\]\.period: '
expect 3 lk owner create bob --tenant acme
err_has 'rate_limits: is needed: give 1 to 4 limits'
expect 3 lk owner create 'Ann <ann@example.org>' --tenant acme --rate-limit calls=60/1m
err_has 'ALREADY_EXISTS'
expect 3 lk owner get bob --tenant acme
err_has 'no limits of owner "bob"'

# Pages, in whatever order.
for i in 1 2 3 4 5; do
	expect 0 lk owner create "user $i" --tenant acme --rate-limit calls=60/1m
done
expect 0 lk owner list --tenant acme --limit 4 --page-size 2 --output json
json '.owners | length' 4
expect 0 lk call OwnerService/List '{"tenant": "acme", "pageSize": 2}'
json '.owners | length' 2
json '.nextPageToken | length > 0' true
expect 0 lk owner list --tenant acme --output json
json '[.owners[].id] | sort | join(",")' 'Ann <ann@example.org>,user 1,user 2,user 3,user 4,user 5'

expect 0 lk owner delete 'Ann <ann@example.org>' --tenant acme
err_has '^deleted$'
expect 3 lk owner delete 'Ann <ann@example.org>' --tenant acme
err_has 'NOT_FOUND'

# A tenant goes with what owners it has left, and its id is free again.
expect 0 lk tenant delete acme
until lk tenant create acme >"$dir/out" 2>"$dir/err"; do
	err_has 'being removed'
done
expect 0 lk owner list --tenant acme
err_has '^no owners with limits$'
