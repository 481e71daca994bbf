#!/bin/sh
# The generator makes of NAME/*.proto the files of NAME/expected, byte by byte, and no others. The descriptors are left out: they
# hold every byte that protoc knows, and have a test of their own.
#
# Usage: made.sh PROTOC GENERATOR NAME [--update]
set -eu

protoc=$1 generator=$(realpath "$2") name=$3 mode=${4:-}
root=$(cd "$(dirname "$0")/../.." && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

cd "$root/tests/golden/$name"
"$protoc" --plugin=protoc-gen-latchkey="$generator" -I "$root/proto" -I /usr/include -I . --latchkey_out="$work" ./*.proto
rm "$work"/descriptors.*
if [ "$mode" = --update ]; then
	rm -rf expected
	cp -r "$work" expected
	chmod 755 expected
else
	diff -ru expected "$work"
fi
