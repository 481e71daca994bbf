#!/bin/sh
# The generator without protoc: what it tells a person, and what it makes of a request that is none.
#
# Usage: alone.sh GENERATOR
set -eu

generator=$1

fail()
{
	echo "$1" >&2
	exit 1
}

# exits with $1, says $2 on standard output and $3 on standard error (patterns)
expect()
{
	code=$1 out=$2 err=$3
	shift 3
	said=$("$@" 2>"$work/err") && got=0 || got=$?
	[ "$got" -eq "$code" ] || fail "$*: exit code $got, not $code"
	case $said in $out) ;; *) fail "$*: said \"$said\"" ;; esac
	case $(cat "$work/err") in $err) ;; *) fail "$*: said on standard error \"$(cat "$work/err")\"" ;; esac
}

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

expect 0 'protoc-gen-latchkey [0-9]*' '' "$generator" --version
expect 0 'Usage: protoc *' '' "$generator" --help
expect 2 '' '*unknown argument "--frobnicate"*Usage: *' "$generator" --frobnicate
printf 'no request' >"$work/garbage"
expect 1 '' '*holds no CodeGeneratorRequest*' sh -c '"$1" <"$2"' sh "$generator" "$work/garbage"
# An empty request is one: there is nothing to make. The response tells its features, and that is all.
"$generator" </dev/null >"$work/response"
[ "$(od -An -tx1 "$work/response" | tr -d ' ')" = 1001 ] || fail "the response to an empty request: $(od -An -tx1 "$work/response")"
# One option, which the generator does not have: field 2, "x".
printf '\022\001x' | "$generator" >"$work/response"
grep -q 'unknown option "x"' "$work/response" || fail "an unknown option was taken"
