#!/bin/sh
# Keys whose tokens are JWTs: an outsider with PyJWT checks their signatures, and learns no more from them than that.
. "$(dirname "$0")/lib.sh"
outsider=$(dirname "$0")/../../lib/jwt_outsider.py
# Debian's own, which Debian's PyJWT goes with: another may come first on the path.
python=/usr/bin/python3
"$python" -c 'import jwt, cryptography' 2>/dev/null || {
	echo "PyJWT is not here: tools/install-deps test"
	exit 77
}
start_daemon

# verdict FILE VERDICT: of the token in the file.
verdict() {
	code=0
	lk key verify <"$1" >"$dir/out" 2>"$dir/err" || code=$?
	out_has "^Verdict +$2\$"
	case $2 in
	VALID) [ "$code" -eq 0 ] || fail "exit code $code of VALID" ;;
	*) [ "$code" -eq 1 ] || fail "exit code $code of $2" ;;
	esac
}

outsider() {
	"$python" "$outsider" "$@"
}

lk tenant create --tenant acme >/dev/null
(
	umask 077
	head -c 48 /dev/urandom >"$dir/secret"
	head -c 48 /dev/urandom >"$dir/other_secret"
	head -c 31 /dev/urandom >"$dir/short"
	head -c 65 /dev/urandom >"$dir/long"
)

# EdDSA: the key set is all that an outsider needs.
expect 0 lk keyspace create prod --tenant acme --token-format jwt --jwt-algorithm eddsa --jwt-issuer https://keys.example
out_has '^Token format +JWT$'
out_has '^JWT algorithm +EDDSA$'
out_has '^JWT issuer +https://keys.example$'
out_lacks 'Token prefix'
expect 0 lk key create --tenant acme --keyspace prod --name ci --owner alice --expire-time 30d
out_has '^Prefix +eyJhbG$'
tail -n 1 "$dir/out" >"$dir/token"
key=$(sed -n 's/^ID  *//p' "$dir/out")
expect 0 lk keyspace jwks prod --tenant acme
json '.keys | length' 1
json '.keys[0] | [.kty, .crv, .alg, .use]' '["OKP","Ed25519","EdDSA","sig"]'
cp "$dir/out" "$dir/jwks"
expect 0 lk keyspace jwks prod --tenant acme --output json
json '.jwks | fromjson' "$(cat "$dir/jwks")"
expect 0 outsider check "$dir/token" prod https://keys.example "jwks:$dir/jwks"
json .sub alice
json .jti "$key"
json .scope keyspace
json '.exp - .iat' 2592000
verdict "$dir/token" VALID

# What PyJWT is asked to look at, it finds wrong where it is.
expect 1 outsider check "$dir/token" other https://keys.example "jwks:$dir/jwks"
err_has '^InvalidAudienceError'
expect 1 outsider check "$dir/token" prod latchkey "jwks:$dir/jwks"
err_has '^InvalidIssuerError'
expect 0 lk key create --tenant acme --keyspace prod --ttl 100ms --token-file "$dir/short_lived"
until lk key verify <"$dir/short_lived" | grep -q EXPIRED; do :; done
expect 1 outsider check "$dir/short_lived" prod https://keys.example "jwks:$dir/jwks"
err_has '^ExpiredSignatureError'

# One character changed: the signature is wrong there, and nobody knows the token here.
outsider alter "$dir/token" >"$dir/altered"
[ "$(wc -l <"$dir/altered")" -gt 10 ] || fail "too few altered tokens"
while read -r altered; do
	printf '%s\n' "$altered" >"$dir/altered_token"
	expect 1 outsider check "$dir/altered_token" prod https://keys.example "jwks:$dir/jwks"
	verdict "$dir/altered_token" NOT_FOUND
done <"$dir/altered"

# HS256, by the secret that was given. It is read from a file alone, which nobody else may read.
expect 2 lk keyspace create dev --tenant acme --token-format jwt --jwt-secret-file "$dir/none"
expect 2 lk keyspace create dev --tenant acme --token-format jwt --jwt-secret-file "$dir/short"
err_has 'has 31 bytes: give 32 to 64'
expect 2 lk keyspace create dev --tenant acme --token-format jwt --jwt-secret-file "$dir/long"
err_has 'longer than 64 bytes'
chmod 644 "$dir/secret"
expect 2 lk keyspace create dev --tenant acme --token-format jwt --jwt-secret-file "$dir/secret"
err_has 'open to everybody'
chmod 600 "$dir/secret"
expect 3 lk keyspace create dev --tenant acme --token-prefix sk- --jwt-secret-file "$dir/secret"
err_has 'jwt-secret|jwt_secret'
expect 0 lk keyspace create dev --tenant acme --token-format jwt --jwt-secret-file "$dir/secret"
out_has '^JWT algorithm +HS256$'
expect 0 lk keyspace jwks dev --tenant acme
json . '{"keys":[]}'
rm "$dir/token"
expect 0 lk key create --tenant acme --keyspace dev --expire-time 30d --token-file "$dir/token"
expect 0 outsider check "$dir/token" dev latchkey "secret:$dir/secret"
json 'has("sub")' false
expect 1 outsider check "$dir/token" dev latchkey "secret:$dir/other_secret"
err_has '^InvalidSignatureError'
verdict "$dir/token" VALID

# Whoever has the secret can sign what outsiders believe, and nothing that Verify takes.
outsider forge "$dir/token" "$dir/secret" >"$dir/forged"
expect 0 outsider check "$dir/forged" dev latchkey "secret:$dir/secret"
verdict "$dir/forged" NOT_FOUND

# A rotated key has another token; the signature of the old one is as good as ever, and the daemon alone knows better.
expect 0 lk key rotate 1 --tenant acme --token-file "$dir/rotated"
expect 0 outsider check "$dir/rotated" prod https://keys.example "jwks:$dir/jwks"
json .jti "$key"
verdict "$dir/rotated" VALID

# Another algorithm, another key: those before it are told as long as their tokens may be in use.
expect 0 lk keyspace update prod --tenant acme --jwt-algorithm hs256
expect 0 lk keyspace update prod --tenant acme --jwt-algorithm eddsa
expect 0 lk keyspace jwks prod --tenant acme
json '.keys | length' 2
json '.keys[1]' "$(jq -c '.keys[0]' <"$dir/jwks")"
cp "$dir/out" "$dir/jwks"
expect 0 outsider check "$dir/rotated" prod https://keys.example "jwks:$dir/jwks"
verdict "$dir/rotated" VALID
rm "$dir/token"
expect 0 lk key create --tenant acme --keyspace prod --expire-time 30d --token-file "$dir/token"
expect 0 outsider check "$dir/token" prod https://keys.example "jwks:$dir/jwks"

# From opaque tokens to JWTs and back.
expect 0 lk keyspace create opaque --tenant acme --token-prefix sk-
out_lacks 'JWT'
expect 0 lk keyspace update opaque --tenant acme --token-format jwt --jwt-issuer me
out_lacks 'Token prefix'
expect 3 lk keyspace update opaque --tenant acme --token-format opaque
err_has 'token-prefix|token_prefix'
expect 0 lk keyspace update opaque --tenant acme --token-format opaque --token-prefix sk-
out_lacks 'JWT'

# JWTs that were issued elsewhere are taken over like any token, and exported with the others.
outsider foreign >"$dir/foreign"
for keyspace in opaque dev; do
	printf '{"token":"%s","name":"old"}\n' "$(cat "$dir/foreign")" |
		expect 0 lk key import - --tenant acme --keyspace $keyspace
	verdict "$dir/foreign" VALID
	expect 0 lk key list --tenant acme --keyspace $keyspace --name-prefix old --output json
	lk key delete "$(jq -r '.keys[0].id' <"$dir/out")" --tenant acme >/dev/null
	verdict "$dir/foreign" NOT_FOUND
	outsider foreign >"$dir/foreign"
done
expect 0 lk key export --tenant acme
out_lacks "$(cut -d . -f 3 <"$dir/token")"

# Nowhere on the disk, and nowhere in the log, stands a secret that signs, or a token.
for word in "$(head -c 16 "$dir/secret" | base64)" "$(cut -d . -f 3 <"$dir/token")"; do
	! grep -Fq -e "$word" "$dir/log" || fail "the log has a secret"
done
for file in "$dir"/data/*.mdb "$dir/log"; do
	! outsider holds "$file" "$dir/secret" 2>"$dir/err" || fail "$file has the secret that was given"
	[ ! -s "$dir/err" ] || fail "nobody looked into $file"
done
