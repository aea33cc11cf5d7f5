#!/usr/bin/env bash
# Tests the Debian packages on a real Debian with real systemd, in a container without network:
#   run.sh [SCENARIO...]   all of scenarios/*.sh in order, or those named
# Environment: PROFILE=full  longer loads, more kills, and a build without any cache
#              DEBS=DIR      takes the packages of an earlier run's DIR (old/, new/) instead of building
#              KEEP=yes      leaves the container up, to look at it
#
# A scenario is a function named scenario_…; it runs in a shell of its own with set -e and ends with
# the first command that fails. They build on each other: each says in the beginning what state of
# the node it needs, and makes it.
# shellcheck disable=SC2034 # what lib.sh and the scenarios use
set -uo pipefail
here=$(cd "$(dirname "$0")" && pwd)
tree=$(cd "$here/../.." && pwd)
node=node$$
passed=0 failed=0 skipped=0
full=
[ "${PROFILE:-}" = full ] && full=yes

summary() { echo "$passed passed, $failed failed, $skipped skipped"; }

skip_all() {
	echo "SKIP test-packages: $1"
	skipped=1
	summary
	exit 0
}

[ "$(id -u)" -eq 0 ] || skip_all 'it needs root'
for tool in systemd-nspawn mmdebstrap apt-ftparchive gpg lintian; do
	command -v "$tool" >/dev/null || skip_all "$tool is not installed"
done

work=$(mktemp -d /tmp/archip-test-packages-XXXXXX)
cleanup() {
	if [ -n "${KEEP:-}" ]; then
		echo "container $node and $work stay; $here/container.sh down $node ends it"
		return
	fi
	"$here/container.sh" down "$node" 2>/dev/null
	rm -rf "$work"
}
trap cleanup EXIT
trap 'exit 130' INT TERM

# shellcheck source=/dev/null
. "$here/lib.sh"
for file in "$here"/scenarios/*.sh; do
	# shellcheck source=/dev/null
	. "$file"
done

# run_scenario NAME counts and tells; what it printed is shown if it failed.
run_scenario() {
	local began=$SECONDS log=$work/$1.log status
	(
		set -euo pipefail
		"scenario_$1"
	) >"$log" 2>&1
	status=$?
	case $status in
	0)
		passed=$((passed + 1))
		echo "ok    $1 ($((SECONDS - began)) s)$(sed -n 's/^NOTE /: /p' "$log" | tr '\n' ' ')"
		;;
	77)
		skipped=$((skipped + 1))
		echo "SKIP  $1: $(sed -n 's/^SKIP //p' "$log" | tail -1)"
		;;
	*)
		failed=$((failed + 1))
		echo "FAIL  $1 ($((SECONDS - began)) s, status $status)"
		tail -n 40 "$log" | sed 's/^/      /'
		;;
	esac
}

began=$SECONDS
wanted=("$@")
if [ ${#wanted[@]} -eq 0 ]; then
	# Files are named in the order in which they run; functions run in that of their files.
	mapfile -t wanted < <(sed -n 's/^scenario_\([a-z_0-9]*\)() {.*/\1/p' "$here"/scenarios/*.sh)
fi
provide_packages || {
	failed=1
	summary
	exit 1
}
echo "      packages and root file system: $((SECONDS - began)) s"
for name in "${wanted[@]}"; do
	run_scenario "$name"
done
echo "      all: $((SECONDS - began)) s"
summary
[ "$failed" -eq 0 ]
