#!/bin/sh
# The generated descriptor set says what protoc itself says of the same files.
#
# Usage: descriptors.sh PROTOC PRINTER
set -eu

protoc=$1 printer=$(realpath "$2")
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

decode()
{
	"$protoc" -I /usr/include --decode=google.protobuf.FileDescriptorSet google/protobuf/descriptor.proto
}

cd "$here"
"$protoc" -I "$here/../../../proto" -I /usr/include -I . --include_imports --include_source_info -o "$work/set" ./*.proto
decode <"$work/set" >"$work/expected.txt"
"$printer" | decode >"$work/made.txt"
diff -u "$work/expected.txt" "$work/made.txt"
