#!/usr/bin/env bash
# Ends what an interrupted test run left: peers of nodes in temporary directories, their segments,
# sockets and directories. Tests put everything below $TMPDIR/archip-test-*, so that nothing else
# is ever touched.
set -u
tmp=${TMPDIR:-/tmp}

# Containers go first, with all that runs in them.
if [ "$(id -u)" -eq 0 ]; then
	bash "$(dirname "$0")/../packages/container.sh" reap
fi
# A file system that a test froze keeps whoever writes to it from dying.
cut -d' ' -f2 /proc/mounts | grep "^$tmp/archip-test-" | while read -r where; do
	fsfreeze -u "$where" 2>/dev/null && echo "reap: thawed $where"
done
for proc in /proc/[0-9]*; do
	pid=${proc#/proc/}
	line=$({ tr '\0' ' ' <"$proc/cmdline"; } 2>/dev/null) || continue
	case $line in
	*archip*"$tmp/archip-test-"*)
		echo "reap: process $pid: $line"
		kill -KILL "$pid" 2>/dev/null
		;;
	esac
done
# release DIR: ends what keeps it busy: mounts below it, and loop devices on files below it.
release() {
	local file loop where
	for file in /sys/block/loop*/loop/backing_file; do
		[ -e "$file" ] || continue
		case $(cat "$file") in
		"$1"/*)
			loop=/dev/$(basename "${file%/loop/backing_file}")
			grep -s "^$loop " /proc/mounts | cut -d' ' -f2 | xargs -r umount -l
			echo "reap: $loop"
			losetup -d "$loop"
			;;
		esac
	done
	cut -d' ' -f2 /proc/mounts | grep -s "^$1/" | while read -r where; do
		echo "reap: mount $where"
		umount -l "$where"
	done
}

# The segment and the pending logs of a node are named by its directory: only those of test
# directories go. The pending log of any other node may hold what nothing else does.
# Deep ones first: a node may lie on a mount that goes with the directory above.
for dir in "$tmp"/archip-test-*/*/* "$tmp"/archip-test-*/* "$tmp"/archip-test-*; do
	[ -d "$dir" ] || continue
	hash=$(printf %s "$(realpath "$dir")" | sha256sum | cut -c1-16)
	release "/run/archipelago/archip-$hash"
	release "$dir"
	rm -rf "/dev/shm/archip-$hash" "/dev/shm/archip-$hash.pending" "/run/archipelago/archip-$hash"
done
rm -rf "$tmp"/archip-test-*

# Segments of unit tests whose processes are gone: nobody maps them.
for file in /dev/shm/xsegtest-* /dev/shm/vlmcdtest-* /dev/shm/archip-test-left*; do
	[ -e "$file" ] || continue
	if ! grep -qsF -- "$file" /proc/[0-9]*/maps; then
		echo "reap: $file"
		rm -rf "$file"
	fi
done
