#!/bin/sh
# A stranger's client, with no code of ours: protoc and nngcat, over ipc and tcp; nanomsg's nanocat over tcp.
. "$(dirname "$0")/lib.sh"
for program in protoc nngcat nanocat; do
	command -v $program >/dev/null || {
		echo "$program is not here: tools/install-deps test"
		exit 77
	}
done
start_daemon

lk tenant create --tenant acme >/dev/null
lk keyspace create --tenant acme --keyspace prod --token-prefix sk- >/dev/null
lk key create --tenant acme --keyspace prod --name ci --token-file "$dir/token" --output json >"$dir/out"
key=$(jq -r .key.id <"$dir/out")
lk root-key create --name gateway --methods keys.verify --tenants acme --keyspaces '*' --token-file "$dir/root" >/dev/null

proto=$(dirname "$0")/../../../proto
as_protobuf() {
	protoc -I "$LATCHKEY_GEN" -I "$proto" -I /usr/include "$1" "$LATCHKEY_GEN/latchkey/v1/calls.proto"
}

# A call with the credential given, or none.
printf 'method: "latchkey.v1.KeyService/Verify" payload { token: "%s" }\n' "$(cat "$dir/token")" >"$dir/call.txt"
as_protobuf --encode=latchkey.v1.KeyServiceVerifyCall <"$dir/call.txt" >"$dir/call"
printf 'credential: "%s"\n' "$(cat "$dir/root")" | cat "$dir/call.txt" - |
	as_protobuf --encode=latchkey.v1.KeyServiceVerifyCall >"$dir/root_call"

# says EXPECTED COMMAND...: what a stranger's program received, as text, has a line that matches.
says() {
	expected=$1
	shift
	"$@" --recv-timeout 5 --raw >"$dir/reply" 2>"$dir/err" </dev/null || fail "$*"
	as_protobuf --decode=latchkey.v1.KeyServiceVerifyReply <"$dir/reply" >"$dir/out" 2>"$dir/err" || fail "$*: no reply"
	out_has "$expected"
}

each_says() {
	says "^  code: VERIFY_CODE_$1\$" nngcat --req0 --dial "$LATCHKEY_URL" -F "$dir/call"
	says "^  code: VERIFY_CODE_$1\$" nngcat --req0 --dial "$tcp_url" -F "$dir/root_call"
	says "^  code: VERIFY_CODE_$1\$" nanocat --req --connect "$tcp_url" -F "$dir/root_call"
}

each_says VALID
out_has 'valid: true'
out_has "id: \"$key\""
# Over tcp nobody is known without a credential: 16, UNAUTHENTICATED.
says '^code: 16$' nngcat --req0 --dial "$tcp_url" -F "$dir/call"

lk key revoke --tenant acme --key "$key" >/dev/null
each_says REVOKED
out_lacks 'valid: true'
