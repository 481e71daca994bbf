#!/bin/sh
# Keys come in from elsewhere and from another daemon, and go out again; whatever is interrupted is gone on with.
. "$(dirname "$0")/lib.sh"
start_daemon
first_url=$LATCHKEY_URL

expect 0 lk tenant create --tenant acme
expect 0 lk keyspace create --tenant acme --keyspace prod --token-prefix sk-
expect 0 lk key create --tenant acme --keyspace prod --name minted --token-file "$dir/minted"

verifies() {
	printf '%s' "$1" >"$dir/token"
	expect 0 lk key verify --output json <"$dir/token"
}

# What a program that is not ours makes of a token.
sha256_of() {
	printf '%s' "$1" | sha256sum | cut -d ' ' -f 1
}

base64_of() {
	sha256_of "$1" | tr a-f A-F | basenc --base16 -d | basenc "$2" -w 0
}

# Tokens, digests in every form, an own id, an end that is past.
cat >"$dir/keys" <<END
{"token": "raw-token-1", "name": "raw", "owner": "alice", "metadata": {"team": "core"}}
{"sha256": "$(sha256_of hex-token-2)", "name": "hex", "displayPrefix": "hex-"}

{"sha256": "$(base64_of base64-token-3 --base64)", "name": "base64", "create_time": "2020-01-01T00:00:00Z"}
{"sha256": "$(base64_of url-token-4 --base64url | tr -d =)", "name": "url"}
{"sha256": "$(sha256_of ended-token-5)", "expireTime": "2021-01-01T00:00:00Z", "state": "KEY_STATE_SUSPENDED", "reason": "away"}
END
expect 0 lk key import "$dir/keys" --tenant acme --keyspace prod --validate-only
out_has '^Good +5$'
expect 0 lk key import "$dir/keys" --tenant acme --keyspace prod
err_is_empty
out_has '^Imported +5$'
out_has '^Lines +6$'
for token in raw-token-1 hex-token-2 base64-token-3 url-token-4; do
	verifies "$token"
	json .code VERIFY_CODE_VALID
done
verifies raw-token-1
json .key.owner alice
json .key.metadata.team core
printf ended-token-5 >"$dir/token"
expect 1 lk key verify <"$dir/token"
out_has '^Verdict +EXPIRED$'

# Again: refused, or counted as done.
expect 3 lk key import "$dir/keys" --tenant acme --keyspace prod
err_has '^line 1: token: is the secret of a key that is there already'
err_has '^line 4: sha256: is the secret of a key that is there already'
out_has '^Imported +0$'
expect 0 lk key import - --tenant acme --keyspace prod --skip-existing --output json <"$dir/keys"
json '[.imported, .existing, .faulty]' '[0,5,0]'

# One line of each kind that is bad, told by its number and, where it has one, its column.
{
	printf '{"token": "good-1"}\n{"name": "nothing"}\n{"token": "cut-off\n[]\n{"token": "t", "ownr": "x"}\n'
	printf '{"token": "t", "owner": 3}\n{"token": "with blank"}\n{"sha256": "abc"}\n{"token": "raw-token-1"}\n'
	printf '{"token": "good-1"}\n{"token": "t2", "id": "no-id"}\n{"token": "t3", "keyspace": "nowhere"}\n'
	printf '{"token": "t4", "state": "KEY_STATE_EXPIRED"}\n{"token": "t5", "createTime": "2999-01-01T00:00:00Z"}\n'
	printf '{"token": "t6", "owner": "%0200d"}\n' 0
	head -c 200000 /dev/zero | tr '\0' x
	printf '\n{"format": "latchkey-keys", "version": 1}\n{"token": "t7", "reason": "none"}\n{"token": "good-2"}'
} >"$dir/bad"
expect 3 lk key import "$dir/bad" --tenant acme --keyspace prod --validate-only --output json
json '[.good, .faulty, .lines]' '[2,17,19]'
expect 2 lk key import "$dir/bad" --tenant acme --keyspace prod
err_has '^line 3, column [0-9]+: no JSON'
out_has '^Imported +0$'
expect 0 lk key import "$dir/bad" --tenant acme --keyspace prod --skip-faulty --output json
json '[.imported, .existing, .faulty, .lines]' '[2,0,17,19]'
for told in '2: has no secret' '3, column [0-9]+: no JSON' '4, column 1: no key' '5, column 16: there is no field "ownr"' \
	'6, column 16: owner: give a text' '7: token: has a character' '8: sha256: is not 32 bytes' \
	'9: token: is the secret of a key' '10: token: is the secret of' '11: id: is no id' \
	'12: keyspace: there is no keyspace "nowhere"' '13: state: ' '14: create_time: ' '15: owner: ' '16: too long' \
	'17: a head stands on the first line' '18: reason: '; do
	err_has "^line $told"
done
[ "$(grep -c '^line' "$dir/err")" -eq 17 ] || fail "a line is told twice, or one that is good"
for secret in 'cut-off' 'with blank' 'raw-token' 'good-1'; do
	! grep -Fq -- "$secret" "$dir/err" || fail "\"$secret\" is told"
done
verifies good-1
verifies good-2
expect 2 lk key import "$dir/absent" --tenant acme
err_has 'cannot read the keys from .*absent: No such file'
expect 2 lk key import --tenant acme
err_has 'needs FILE'
expect 4 lk key import "$dir/keys" --tenant acme --url "ipc://$dir/nobody" --timeout 200ms
expect 3 lk key import "$dir/keys" --tenant nobody --keyspace prod
err_has 'NOT_FOUND'

# Out, and into a second daemon that was begun with the first one's verify.key.
expect 0 lk key export --tenant acme --file "$dir/plain"
err_has '^8 keys exported'
[ "$(stat -c %a "$dir/plain")" = 600 ] || fail "others may read the export"
[ "$(wc -l <"$dir/plain")" -eq 9 ] || fail "not a head and eight keys"
! grep -q 'blake2b\|verifyKey' "$dir/plain" || fail "digests that nobody asked for"
expect 2 lk key export --tenant acme --file "$dir/plain"
err_has 'is there already'
expect 2 lk key export --tenant acme --resume
expect 0 lk key export --tenant acme --include-digests
cp "$dir/out" "$dir/digests"
head -n 1 "$dir/digests" | grep -Eqx '\{"format":"latchkey-keys","version":1,"verifyKey":"[0-9a-f]{64}"\}' || fail "no head"
tail -n +2 "$dir/digests" | jq -se 'length == 8 and all(.key.id and (.blake2b or .blake2bOfSha256))' >"$dir/out" ||
	fail "an exported key without a digest"
for token in raw-token-1 good-1 "$(cat "$dir/minted")"; do
	! grep -Fq -- "$token" "$dir/digests" || fail "a token in the export"
done

other=
# With the exit code that there was, which clean_up asks for.
trap 'left=$?; [ -z "$other" ] || kill "$other"; sh -c "exit $left" || clean_up; clean_up' EXIT

# second NAME: a daemon on data directory NAME, at $dir/NAME.sock.
second() {
	mkfifo "$dir/$1.ready"
	"$LATCHKEYD" --data "$dir/$1" --listen "ipc://$dir/$1.sock" 2>"$dir/$1.ready" &
	other=$!
	grep -m 1 'msg=ready' <"$dir/$1.ready" >/dev/null
	LATCHKEY_URL=ipc://$dir/$1.sock
}

end_second() {
	kill "$other"
	wait "$other"
	other=
	LATCHKEY_URL=$first_url
}

mkdir -m 750 "$dir/moved"
cp -p "$dir/data/verify.key" "$dir/moved/"
second moved
expect 0 lk tenant create --tenant acme
expect 0 lk keyspace create --tenant acme --keyspace prod --token-prefix sk-
expect 0 lk key import "$dir/digests" --tenant acme --output json
json .imported 8
for token in raw-token-1 hex-token-2 base64-token-3 url-token-4 good-1 good-2 "$(cat "$dir/minted")"; do
	verifies "$token"
	json .code VERIFY_CODE_VALID
done
# What an import can keep is what it was.
kept='.key | del(.number, .createdBy, .updateTime, .etag, .usageCount, .lastUsedTime, .availableActions)'
expect 0 lk key export --tenant acme --include-digests
for file in digests out; do
	tail -n +2 "$dir/$file" | jq -Sc "$kept" | sort >"$dir/$file.kept"
done
cmp "$dir/digests.kept" "$dir/out.kept" || fail "the keys came out otherwise than they went in"
end_second

# Under another verify.key no token would match: it is said.
second foreign
expect 0 lk tenant create --tenant acme
expect 0 lk keyspace create --tenant acme --keyspace prod --token-prefix sk-
expect 3 lk key import "$dir/digests" --tenant acme
err_has 'made under another verify\.key.*copying verify\.key before its first start'
end_second

# Ten thousand, of which each hundredth is faulty.
expect 0 lk tenant create --tenant many
expect 0 lk keyspace create --tenant many --keyspace prod --token-prefix sk- --name-unique
seq 10000 | sed 's/.*/{"token": "many-token-&", "name": "key &"}/; s/\(many-token-[0-9]*00\)"/\1 "/' >"$dir/many"
expect 0 lk key import "$dir/many" --tenant many --keyspace prod --skip-faulty --output json
json '[.imported, .faulty]' '[9900,100]'
[ "$(wc -l <"$dir/err")" -eq 100 ] || fail "not a line each"
err_has '^line 100: token: '
verifies many-token-9999
expect 0 lk key list --tenant many --limit 1 --output json
json .totalSize 9900

# An import that is killed in the middle, and run again.
expect 0 lk tenant create --tenant killed
expect 0 lk keyspace create --tenant killed --keyspace prod --token-prefix sk-
seq 10000 | sed 's/.*/{"token": "killed-token-&"}/' >"$dir/killed"
mkfifo "$dir/fifo"
# The program itself, not a shell around it.
"$LATCHKEY" key import - --tenant killed --keyspace prod <"$dir/fifo" >"$dir/out" 2>"$dir/err" &
import=$!
exec 8>"$dir/fifo"
head -n 5500 "$dir/killed" >&8
size=0
while [ "$size" -lt 1000 ]; do
	size=$(lk key list --tenant killed --limit 1 --output json | jq -r .totalSize)
done
kill -KILL "$import"
wait "$import" 2>/dev/null || true
exec 8>&-
expect 0 lk key import "$dir/killed" --tenant killed --keyspace prod --skip-existing --output json
json '.imported + .existing' 10000
json '.imported >= 4000 and .existing >= 1000' true
expect 0 lk key list --tenant killed --limit 1 --output json
json .totalSize 10000
verifies killed-token-10000
verifies killed-token-1

# An export that is killed in the middle, and gone on with: as though nothing had been.
expect 0 lk key export --tenant many --file "$dir/whole"
interrupted=
tries=0
while [ -z "$interrupted" ] && [ "$tries" -lt 50 ]; do
	rm -f "$dir/parts" "$dir/parts.part" "$dir/parts.state"
	"$LATCHKEY" key export --tenant many --file "$dir/parts" 2>"$dir/err" &
	export=$!
	while [ ! -e "$dir/parts.state" ] && kill -0 "$export" 2>/dev/null; do :; done
	kill -KILL "$export" 2>/dev/null || true
	wait "$export" 2>/dev/null || true
	[ ! -e "$dir/parts.state" ] || interrupted=yes
	tries=$((tries + 1))
done
[ -n "$interrupted" ] || fail "no export could be interrupted"
[ ! -e "$dir/parts" ] || fail "an export that was killed is called whole"
expect 2 lk key export --tenant many --file "$dir/parts"
err_has 'go on with it by --resume'
expect 2 lk key export --tenant acme --file "$dir/parts" --resume
err_has 'an export with other flags'
printf '{"half a line' >>"$dir/parts.part"
expect 0 lk key export --tenant many --file "$dir/parts" --resume --output json
json '.resumedAt >= 1000 and .exported == 9900' true
cmp "$dir/whole" "$dir/parts" || fail "a line was lost or came twice"
[ ! -e "$dir/parts.part" ] && [ ! -e "$dir/parts.state" ] || fail "something was left behind"
expect 2 lk key export --tenant many --file "$dir/parts" --resume
err_has 'is there already'
# Where nothing was interrupted, it begins.
expect 0 lk key export --tenant many --file "$dir/fresh" --resume
cmp "$dir/whole" "$dir/fresh" || fail "a fresh export is another"

# What nobody reads, or cannot be written, ends it.
[ ! -w /dev/full ] || {
	code=0
	lk key export --tenant many >/dev/full 2>"$dir/err" || code=$?
	[ "$code" -eq 2 ] || fail "a full disk: exited with $code"
	err_has 'cannot write to standard output: No space'
}
lk key export --tenant many 2>"$dir/err" | head -n 1 >"$dir/out"
! grep -q 'cannot write' "$dir/err" || fail "head is no fault"
expect 2 lk key export --tenant many --file "$dir/no/such/folder"
err_has 'cannot make .*folder\.part'
