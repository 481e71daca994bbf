#!/bin/sh
# What `meson install` puts down is enough for a program outside of the tree: it is compiled against the installed copy alone,
# with the shared and with the static libraries, and verifies a key of a running daemon, over its socket and in-process.
# Usage: install.sh BUILD_DIR LATCHKEYD CC...
set -eu

build=$1 latchkeyd=$(realpath "$2")
shift 2
# May be two words: "ccache cc".
cc=$*
here=$(cd "$(dirname "$0")" && pwd)
dir=$(mktemp -d)
daemon=
stop() {
	[ -z "$daemon" ] || { kill "$daemon" && wait "$daemon"; } 2>/dev/null || true
	rm -rf "$dir"
}
trap stop EXIT
trap 'exit 130' INT TERM

fail() {
	echo "install.sh: $1" >&2
	[ ! -s "$dir/log" ] || tail -n 5 "$dir/log" >&2
	exit 1
}

# DESTDIR, as a packager does it; pkg-config is told where the prefix has come to lie.
DESTDIR=$dir/root meson install -C "$build" --no-rebuild --quiet || fail 'meson install failed'
pc=$(find "$dir/root" -name latchkey.pc)
[ -n "$pc" ] || fail 'there is no latchkey.pc'
prefix=$dir/root$(sed -n 's/^prefix=//p' "$pc")
export PKG_CONFIG_PATH="${pc%/*}"
flags() {
	pkg-config --define-variable=prefix="$prefix" "$@" latchkey
}
local_flags() {
	pkg-config --define-variable=prefix="$prefix" "$@" latchkey-local
}

cp "$here/create.c" "$here/verify.c" "$here/verifier.c" "$here/local.c" "$dir"
cd "$dir"
warnings='-std=c17 -Wall -Wextra -Werror'
# shellcheck disable=SC2046,SC2086
{
	$cc $warnings create.c -o create $(flags --cflags --libs) || fail 'create.c does not compile'
	$cc $warnings verify.c -o verify $(flags --cflags --libs) || fail 'verify.c does not compile'
	$cc $warnings verifier.c -o verifier $(flags --cflags --libs) || fail 'verifier.c does not compile'
	$cc $warnings verify.c -o verify-static $(flags --cflags --libs --static | sed 's/-llatchkey/-l:liblatchkey.a/') ||
		fail 'verify.c does not link with the static library'
	$cc $warnings local.c -o local $(local_flags --cflags --libs) || fail 'local.c does not compile'
	$cc $warnings local.c -o local-static $(local_flags --cflags --libs --static |
		sed 's/-llatchkey-local/-l:liblatchkey-local.a/; s/-llatchkey\>/-l:liblatchkey.a/') ||
		fail 'local.c does not link with the static libraries'
}
libdir=$(flags --variable=libdir)
export LD_LIBRARY_PATH="$libdir"
ldd verify | grep -q "$libdir/liblatchkey.so.0" || fail 'verify does not use the installed liblatchkey.so.0'
ldd verify-static | grep -q liblatchkey && fail 'verify-static uses the shared library'
ldd local | grep -q "$libdir/liblatchkey-local.so.0" || fail 'local does not use the installed liblatchkey-local.so.0'
ldd local-static | grep -q liblatchkey && fail 'local-static uses a shared library'
nm -D --defined-only "$libdir/liblatchkey-local.so.0" | awk '{ print $3 }' | grep -v '^lk_local_' &&
	fail 'liblatchkey-local.so.0 exports more than its header names'

protos=$prefix/share/latchkey/proto
(cd "$protos" && protoc -I. -I/usr/include --descriptor_set_out=/dev/null latchkey/v1/*.proto) ||
	fail 'the installed .proto files do not compile'
[ -f "$protos/latchkey/v1/calls.proto" ] || fail 'there is no calls.proto'

"$latchkeyd" --data "$dir/data" 2>log &
daemon=$!
url=ipc://$dir/data/latchkey.sock
# The channel waits for the daemon.
./create "$url" >token || fail 'no key could be made'
for program in ./verify ./verify-static; do
	[ "$($program "$url" <token)" = VALID ] || fail "$program does not say VALID"
done
[ "$(tr 'A-Za-z' 'B-ZAb-za' <token | ./verify "$url")" = 'not valid' ] || fail 'a token that is none is not refused'
[ "$( (cat token; echo sk-none; cat token) | ./verifier "$url")" = '2 of 3' ] || fail 'the verifier does not say 2 of 3'
for program in ./local ./local-static; do
	[ "$($program "$dir/data" "$url" <token)" = "$(printf 'VALID\nVALID')" ] || fail "$program does not say VALID twice"
done
[ "$(tr 'A-Za-z' 'B-ZAb-za' <token | ./local "$dir/data")" = 'not valid' ] || fail 'local takes a token that is none'
./local "$dir" <token 2>refusal && fail 'local opens a directory that has no store'
grep -q 'no store in it' refusal || fail 'local does not say that there is no store'
kill -9 "$daemon"
wait "$daemon" 2>/dev/null || true
daemon=
[ "$(./local "$dir/data" <token)" = VALID ] || fail 'local does not say VALID when the daemon is gone'
