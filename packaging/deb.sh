#!/bin/sh
# Builds the packages into a directory (build/deb by default) and has lintian judge them.
#   VERSION=…            another version than version.sh says
#   SOURCE_DATE_EPOCH=…  another time of all files than that of the last commit
#   LINTIAN=no           without lintian
set -eu
out=$(realpath -m "${1:-build/deb}")
cd "$(dirname "$0")"
version=$(./version.sh)
: "${SOURCE_DATE_EPOCH:=$(git log -1 --format=%ct)}"
export SOURCE_DATE_EPOCH TZ=UTC0 LC_ALL=C.UTF-8

rm -rf "$out"
mkdir -p "$out"
manual=
if command -v sphinx-build >/dev/null 2>&1; then
	# From nothing: an earlier build may have left pages that exist no more.
	manual=$(mktemp -d)
	trap 'rm -rf "$manual"' EXIT
	sphinx-build -q -W -E -b html -d "$manual/trees" ../docs "$manual/html"
else
	echo 'SKIP archipelago-doc: sphinx-build is not installed'
fi
${GO:-go} run . -root .. -out "$out" -version "$version" ${manual:+-manual "$manual/html"}

if [ "${LINTIAN:-yes}" = yes ] && command -v lintian >/dev/null 2>&1; then
	# Root is right in a container. Hints and pedantry don't fail.
	lintian --allow-root --fail-on error,warning "$out"/*.deb
else
	echo 'SKIP lintian: not wanted or not installed'
fi
(cd "$out" && sha256sum -- *.deb)
