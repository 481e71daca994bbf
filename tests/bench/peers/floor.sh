# Bare LMDB and BLAKE2b, in-process: see floor.c. Sourced by tools/bench.
# shellcheck shell=bash disable=SC2154 # the variables are tools/bench's

# drive_floor DATA TOKENS THREADS held|renewed [RATE]: prints the figures.
drive_floor() {
	"$bin"/bench_floor "$1" "$2" "$3" "$seconds" "${5:-0}" "$4" | jq -c --arg what "floor, $4" '{what: $what} + .'
}
