# Stores of Latchkey's to measure with: made once, kept in $cache and used again. Sourced by tools/bench.
#
#	$cache/keys-N/data		a data directory with N keys, all of them good
#	$cache/keys-N/tokens		their tokens, one a line, in no order
#	$cache/keys-N/root		a root key that may verify, for tcp
#	$cache/keys-N/slots.fresh	the slots as they were when nothing had been used
#	$cache/keys-N/stamp		what made it: with another schema or another loader it is made anew
#	$cache/keys-N-ruled/		every second key has rules: permissions, a rate limit, addresses; their tokens are in `ruled`
#
# shellcheck shell=bash disable=SC2154 # the variables are tools/bench's

# What a key takes of the disk, and of the memory that holds the files' pages: 1.3 KB, and some room.
store_bytes_a_key=1500

store_mib() {
	echo $(($1 * store_bytes_a_key >> 20))
}

store_stamp() {
	echo "$(sed -n 's/^#define LK_STORE_SCHEMA //p' server/store/store.h)-$(cksum <tests/bench/load.c | cut -d ' ' -f 1)"
}

# why_not KEYS: says why a store of so many keys cannot be measured here; says nothing where it can.
why_not() {
	local need disk memory
	need=$(store_mib "$1")
	disk=$(df -Pm "$cache" | awk 'NR == 2 { print $4 }')
	memory=$(awk '/^MemAvailable:/ { print int($2 / 1024) }' /proc/meminfo)
	if [ ! -e "$cache/keys-$1/stamp" ] && [ "$disk" -lt "$need" ]; then
		echo "it needs $need MiB of disk, and $cache has $disk"
	elif [ "$memory" -lt "$need" ]; then
		echo "it needs $need MiB of memory, and $memory are available"
	fi
}

# make_store DIR KEYS [ruled]
make_store() {
	local tokens
	say "storing $2 keys in $1, once; $(store_mib "$2") MiB"
	rm -rf "$1" "$1.part"
	mkdir -p "$1.part"
	"$bin/bench_load" "$1.part/data" "$2" "$1.part/tokens" ${3:+"$1.part/ruled"}
	for tokens in "$1.part/tokens" "$1.part/ruled"; do
		[ ! -e "$tokens" ] || shuf "$tokens" -o "$tokens"
	done
	start_daemon "$1.part/data"
	build-bench/tools/latchkey/latchkey --url "$url" root-key create --name bench --methods keys.verify --tenants bench \
		--keyspaces '*' --token-file "$1.part/root" >"$dir/log"
	stop_daemon
	cp --sparse=always "$1.part/data/slots.mmap" "$1.part/slots.fresh"
	store_stamp >"$1.part/stamp"
	mv "$1.part" "$1"
}

# take_store KEYS [ruled]: sets $store to the directory of such a store, in which nothing has been used.
take_store() {
	store=$cache/keys-$1${2:+-$2}
	[ "$(cat "$store/stamp" 2>/dev/null || true)" = "$(store_stamp)" ] || make_store "$store" "$@"
	# What earlier runs have used would be folded into the store's index of use while this one measures.
	cp --sparse=never "$store/slots.fresh" "$store/data/slots.mmap"
}

# start_daemon DATA [OPTION...]: serves a data directory: sets $daemon and $url.
start_daemon() {
	local data=$1
	shift
	url=ipc://$data/latchkey.sock
	build-bench/server/latchkeyd --data "$data" --log-level warn --listen "$url" "$@" 2>"$dir/log" &
	daemon=$!
	until_there "$data/latchkey.sock" "$daemon" || { cat "$dir/log" >&2; exit 1; }
}

stop_daemon() {
	kill "$daemon"
	wait "$daemon" || true
	daemon=''
}
