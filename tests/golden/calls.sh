#!/bin/sh
# calls.proto: a call with its typed payload has the bytes of the envelope with the payload encoded, both ways.
#
# Usage: calls.sh PROTOC DIR/latchkey/v1/calls.proto
set -eu

protoc=$1 calls=$2
root=$(cd "$(dirname "$0")/../.." && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# $1: encode or decode; $2: the message; $3: the file that has it
convert()
{
	"$protoc" -I "${calls%latchkey/v1/calls.proto}" -I "$root/proto" -I /usr/include "--$1=latchkey.v1.$2" "latchkey/v1/$3"
}

echo 'token: "sk-1" keyspace: "prod"' | convert encode VerifyKeyRequest key.proto >"$work/payload"
{
	echo 'method: "latchkey.v1.KeyService/Verify" timeout_ms: 7 min_revision: 9'
	echo 'payload: { token: "sk-1" keyspace: "prod" }'
} | convert encode KeyServiceVerifyCall calls.proto >"$work/call"
convert decode Request rpc.proto <"$work/call" >"$work/envelope.txt"
convert encode Request rpc.proto <"$work/envelope.txt" >"$work/envelope"
cmp "$work/call" "$work/envelope"
# The payload's bytes end the envelope: 15 is its last field.
tail -c "$(wc -c <"$work/payload")" "$work/envelope" | cmp - "$work/payload"

cat >"$work/reply.txt" <<END
code: 3
message: "no"
violations {
  field: "token"
  description: "is empty"
}
retry_after_ms: 5
revision: 12
payload {
  code: VERIFY_CODE_REVOKED
}
END
convert encode KeyServiceVerifyReply calls.proto <"$work/reply.txt" | convert decode Response rpc.proto |
	convert encode Response rpc.proto | convert decode KeyServiceVerifyReply calls.proto | diff -u "$work/reply.txt" -
