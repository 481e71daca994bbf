#!/bin/sh
# The generator refuses bad/NAME.proto, with bad/NAME-*.proto in the same run where there are any, and says why in exactly the
# words of bad/NAME.txt.
#
# Usage: refused.sh PROTOC GENERATOR NAME [--update]
set -eu

protoc=$1 generator=$(realpath "$2") name=$3 mode=${4:-}
root=$(cd "$(dirname "$0")/../.." && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

cd "$root/tests/golden/bad"
set -- "$name.proto"
for more in "$name"-*.proto; do
	[ ! -e "$more" ] || set -- "$@" "$more"
done
if "$protoc" --plugin=protoc-gen-latchkey="$generator" -I "$root/proto" -I /usr/include -I . --latchkey_out="$work" "$@" \
	2>"$work/said.txt"; then
	echo "bad/$name.proto was not refused" >&2
	exit 1
fi
if [ "$mode" = --update ]; then
	cp "$work/said.txt" "$name.txt"
else
	diff -u "$name.txt" "$work/said.txt"
fi
