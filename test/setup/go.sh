#!/bin/sh
# Checks that Go is there and new enough; says what to install otherwise.
set -eu
go=${GO:-go}
want_major=1 want_minor=26
if ! command -v "$go" >/dev/null 2>&1; then
	echo "Archipelago needs Go $want_major.$want_minor or later, and '$go' was not found." >&2
	echo "Debian 12's own golang is too old: install Go from the project's official archive into /usr/local/go." >&2
	exit 1
fi
have=$(GOTOOLCHAIN=local "$go" env GOVERSION)
number=${have#go}
major=${number%%.*}
rest=${number#*.}
minor=${rest%%[!0-9]*}
if [ "$major" -lt "$want_major" ] || { [ "$major" -eq "$want_major" ] && [ "$minor" -lt "$want_minor" ]; }; then
	echo "Archipelago needs Go $want_major.$want_minor or later; this is $have." >&2
	echo "Debian 12's own golang is too old: install Go from the project's official archive into /usr/local/go." >&2
	exit 1
fi
