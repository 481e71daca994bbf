#!/bin/sh
# Takes what the generator makes and says today for what is expected. Read the difference before you commit it.
#
# Usage: update.sh [GENERATOR]
set -eu

here=$(cd "$(dirname "$0")" && pwd)
generator=${1:-$here/../../build/tools/protoc-gen-latchkey/protoc-gen-latchkey}

for path in "$here"/*/expected; do
	"$here/made.sh" protoc "$generator" "$(basename "$(dirname "$path")")" --update
done
for path in "$here"/bad/*.txt; do
	"$here/refused.sh" protoc "$generator" "$(basename "$path" .txt)" --update
done
