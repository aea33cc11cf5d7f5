#!/bin/sh
# Prints the version of this tree, the same for programs and packages: the release in VERSION if the
# commit bears its tag, else that with the time and name of the commit, which sorts by time. The
# environment variable VERSION overrides it.
set -eu
if [ -n "${VERSION:-}" ]; then
	echo "$VERSION"
	exit 0
fi
cd "$(dirname "$0")"
release=$(cat VERSION)
if ! commit=$(TZ=UTC0 git log -1 --date=format-local:%Y%m%d.%H%M%S --format=%cd.%h --abbrev=7 2>/dev/null); then
	echo "$release" # an unpacked archive
elif git tag --points-at HEAD | grep -qx "v$release"; then
	echo "$release"
else
	echo "$release~git$commit"
fi
