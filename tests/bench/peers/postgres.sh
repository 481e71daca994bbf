# A PostgreSQL of our own; its driver is bench_select, see select.c. Sourced by tools/bench.
# shellcheck shell=bash disable=SC2154 # the variables are tools/bench's

# shellcheck source=tests/bench/peers/common.sh
. tests/bench/peers/common.sh

# start_postgres TOKENS: a server with a row for each token; prints what loading them has cost, {"keys", "seconds",
# "memory_bytes"}, the memory being that of the table and its index, which are read into its buffers.
start_postgres() {
	local loaded
	postgres_dir=$dir/postgres-select
	keep "tests/bench/peers/postgres stop $postgres_dir"
	tests/bench/peers/postgres start "$postgres_dir"
	postgres_pid=$(tests/bench/peers/postgres pid "$postgres_dir")
	loaded=$("$bin"/bench_select load "$postgres_dir" "$1")
	jq -c --argjson bytes "$(tests/bench/peers/postgres size "$postgres_dir" verdict)" \
		'. + {memory_bytes: $bytes}' <<<"$loaded"
}

stop_postgres() {
	tests/bench/peers/postgres stop "$postgres_dir"
	dropped "tests/bench/peers/postgres stop $postgres_dir"
	rm -rf "$postgres_dir"
}
