#!/usr/bin/env bash
# Ends what an interrupted test run left: peers of nodes in temporary directories, their segments,
# sockets and directories. Tests put everything below $TMPDIR/archip-test-*, so that nothing else
# is ever touched.
set -u
tmp=${TMPDIR:-/tmp}

for proc in /proc/[0-9]*; do
	pid=${proc#/proc/}
	line=$(tr '\0' ' ' <"$proc/cmdline" 2>/dev/null) || continue
	case $line in
	*archip*"$tmp/archip-test-"*)
		echo "reap: process $pid: $line"
		kill -KILL "$pid" 2>/dev/null
		;;
	esac
done
rm -rf "$tmp"/archip-test-*
