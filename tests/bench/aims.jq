# The aims of speed, and what was measured of each. The input is tools/bench's result, with the parts `verify` and `start`. Stands
# behind figures.jq: see figure() in tools/bench.

def runs: .verify.runs // [];
def rates: .[0].rate / .[1].rate;
def cost($first; $second): .[0][$first] / .[1][$second];

# f of each pair of runs of two subjects of a group; nothing where one was not measured.
def paired($keys; $group; $first; $second; f): runs | pairs($keys; $group; $first; $second) | map(f) | spread;

def least($aim; $limit; $measured): {aim: $aim, wanted: ">= \($limit)", measured: $measured,
	met: (if $measured == null then null else $measured.median >= $limit end)};
def most($aim; $limit; $measured): {aim: $aim, wanted: "<= \($limit)", measured: $measured,
	met: (if $measured == null then null else $measured.median <= $limit end)};
def beside($aim; $measured): {aim: $aim, wanted: "-", measured: $measured, met: null};

def store($keys): (.start.stores // []) | map(select(.keys == $keys))[0];

# A rival that is measured in several ways: each is shown, but the aim is to be no slower than the fastest of them.
def rivals($keys; $group; $first; $limit; $ways): . as $all
	| ($ways | max_by(.what as $what | $all | runs | of($keys; $group; $what) | map(.rate) | if . == [] then 0 else median end)) as $best
	| $ways[] | . as $way
	| $all | paired($keys; $group; $first; $way.what; rates) as $measured
	| if $way == $best then least($way.aim; $limit; $measured) else beside($way.aim; $measured) end;

def of_stores: . as $all | ([runs[].keys] | unique)[] as $keys
	| $all | most("in-process, 1 thread, \($keys) keys: processor time / (LMDB get + BLAKE2b, one snapshot)"; 1.7;
		paired($keys; "local"; "local-1"; "floor"; cost("client_us"; "client_us"))),
	beside("  the same / (the floor with a snapshot for each get)";
		paired($keys; "local"; "local-1"; "floor-renewed"; cost("client_us"; "client_us"))),
	least("in-process, \($keys) keys: verdicts of 2 threads / of 1"; 1.8;
		paired($keys; "local"; "local-2"; "local-1"; rates)),
	beside("  what this machine gives: (LMDB get + BLAKE2b) of 2 threads / of 1";
		paired($keys; "local"; "floor-2"; "floor"; rates));

def of_start: . as $all | ([(.start.stores // [])[].keys] | max) as $keys | select($keys != null)
	| $all | store($keys)
	| most("daemon's start, \($keys) keys, warm cache, to the first verdict: ms"; 200; .start_ms),
	most("daemon's private memory, \($keys) keys, 64 connections: MiB"; 64;
		[.anonymous_bytes / 1048576] | spread),
	beside("  Private_Dirty, the pages of the file of slots that it has written among it: MiB";
		[.private_dirty_bytes / 1048576] | spread);

def aims: .keys as $keys | [
	least("unary, ipc, 32 contexts: verdicts / answers of nng echo"; 0.8;
		paired($keys; "ipc-32"; "verify-ipc-1x32"; "echo-ipc-1x32"; rates)),
	most("  processor time that it adds to the echo's, us a request"; 3;
		paired($keys; "ipc-32"; "verify-ipc-1x32"; "echo-ipc-1x32"; .[0].server_us - .[1].server_us)),
	least("  verdicts / answers of a gRPC C++ echo"; 2;
		paired($keys; "ipc-32"; "verify-ipc-1x32"; "grpc-32"; rates)),
	most("unary, ipc, 1 at a time: p50 / nng echo's"; 1.1;
		paired($keys; "ipc-1"; "verify-ipc-1x1"; "echo-ipc-1x1"; cost("p50_us"; "p50_us"))),
	most("batching client, a lone caller: p50 / unary by the library"; 1.05;
		paired($keys; "alone"; "batching-1"; "unary-1"; cost("p50_us"; "p50_us"))),
	least("batching client, 64 callers, async: verdicts / unary by the library, 64 callers"; 4;
		paired($keys; "batching"; "batching-64"; "unary-64"; rates)),
	beside("  verdicts / unary by nng, 8 sockets x 8"; paired($keys; "batching"; "batching-64"; "verify-ipc-8x8"; rates)),
	rivals($keys; "batching"; "batching-64"; 1; [
		{what: "redis-pipelined", aim: "  verdicts / Redis HMGET + HINCRBY, pipelined 64, 1 connection"},
		{what: "redis-pipelined-2", aim: "  verdicts / Redis HMGET + HINCRBY, pipelined 64, 2 connections"}]),
	beside("batching client, 64 threads: verdicts / wakings of 64 threads";
		paired($keys; "threads"; "batching-threads-64"; "wake-64"; rates)),
	most("batch of 1,000: server's processor time a verdict / (LMDB get + BLAKE2b, one snapshot)"; 2;
		paired($keys; "batch"; "batch-1000"; "floor"; cost("server_us"; "client_us"))),
	beside("batch of 64: verdicts / Redis HMGET + HINCRBY, pipelined 64, 2 connections";
		paired($keys; "batch"; "batch-64"; "redis-pipelined-2"; rates)),
	of_stores,
	of_start];

# Rows for people; what belongs to the aim above it is marked so as Markdown shows it too.
def aims_table: (["aim", "wanted", "measured", ""] | @tsv),
	(.[] | [(.aim | sub("^  "; "- ")), .wanted, (.measured | spread_text(ratio)),
		(if .measured == null then "not measured" elif .met == null then "" elif .met then "met" else "missed" end)] | @tsv);
