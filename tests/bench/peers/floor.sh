# Bare LMDB and BLAKE2b, in-process: see floor.c. Sourced by tools/bench.
# shellcheck shell=bash disable=SC2154 # the variables are tools/bench's

# shellcheck source=tests/bench/peers/common.sh
. tests/bench/peers/common.sh

# drive_floor DATA TOKENS THREADS held|renewed [RATE]: prints the figures.
drive_floor() {
	bounded "$bin"/bench_floor "$1" "$2" "$3" "$seconds" "${5:-0}" "$4" | jq -c --arg what "floor, $4" '{what: $what} + .'
}
