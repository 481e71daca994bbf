#!/bin/sh
# The installed headers are C++ too. Skipped where there is no C++ compiler.
#
# Usage: cplusplus.sh CLIENT_DIR GEN_DIR FILE...
set -eu

client=$1 gen=$2
shift 2
command -v c++ >/dev/null || exit 77

{
	echo '#include <latchkey/latchkey.h>'
	for file in "$@"; do
		case $file in
		*.h) echo "#include \"$(realpath "$file")\"" ;;
		esac
	done
	echo 'struct lk_call call = LK_CALL_INIT;'
} | c++ -std=c++17 -Wall -Wextra -pedantic -Werror -fsyntax-only -I "$client" -I "$gen" -x c++ -
