# The unary echo by gRPC C++; its driver is bench_grpc too, see grpc.cc. Sourced by tools/bench.
# shellcheck shell=bash disable=SC2154 # the variables are tools/bench's

# shellcheck source=tests/bench/peers/common.sh
. tests/bench/peers/common.sh

# start_grpc REPLY_BYTES [THREADS]: one thread serves best where server and client share two cores.
start_grpc() {
	rm -f "$dir/grpc.sock" "$dir/grpc.out"
	"$bin"/bench_grpc serve "unix:$dir/grpc.sock" "$1" "${2:-1}" >"$dir/grpc.out" 2>"$dir/grpc.log" &
	grpc_pid=$!
	keep "kill $grpc_pid"
	until_there "$dir/grpc.out" "$grpc_pid" || { cat "$dir/grpc.log" >&2; return 1; }
}

stop_grpc() {
	end_server "$grpc_pid"
}
