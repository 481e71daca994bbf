#!/bin/sh
# The installed headers are C++ too. Skipped where there is no C++ compiler.
#
# Usage: cplusplus.sh CLIENT_DIR GEN_DIR FILE...
set -eu

client=$1 gen=$2
shift 2
command -v c++ >/dev/null || exit 77

for file in "$@"; do
	case $file in
	*.h) echo "#include \"$(realpath "$file")\"" ;;
	esac
done | c++ -std=c++17 -Wall -Wextra -Werror -fsyntax-only -I "$client" -I "$gen" -x c++ -
