# shellcheck shell=bash
# Part of nbd-guest.sh, which has set bin and node and has the functions that aren't here: a write
# whose answer is late. While nbdd lives the kernel sends it once, however long it takes; when nbdd is
# killed the kernel sends it again soon.

vlmc create late -s 8
device=$(vlmc map --driver nbd late)
sys=/sys/block/${device#/dev/}
blockerb=$(peer blockerb)
head -c 4096 /dev/urandom >/mnt/store/block

# until_true SECONDS COMMAND...: nothing tells when it is true; it is looked at.
until_true() {
	local end=$((SECONDS + $1))
	shift
	until "$@"; do
		[ $SECONDS -lt "$end" ] || return 1
		sleep 0.05
	done
}
# late_write BLOCK: writes it in the background while blockerb is stopped.
late_write() {
	kill -STOP "$blockerb"
	dd if=/mnt/store/block of="$device" bs=4096 count=1 seek="$1" conv=notrunc oflag=direct status=none &
	writer=$!
	until_true 10 under_way || fail "no request is under way"
}
under_way() { [ "$(awk '{ print $2 }' "$sys/inflight")" = 1 ]; }
# written: what vlmcd has written, over all volumes.
written() {
	"$bin/archipelago" -d "$node" status --json | tr '{' '\n' |
		sed -n 's/.*"role":"vlmcd".*"bytes_written":\([0-9]*\).*/\1/p'
}
looked_at() { [ "$(dmesg | grep -c -e 'Possible stuck request' -e 'timed out')" -ge 3 ]; }

# A slow request. blockerb is stopped for less than a watchdog bears.
dmesg -C
before=$(written)
late_write 0
until_true 9 looked_at || fail "the kernel doesn't look at requests that wait"
kill -CONT "$blockerb"
wait $writer || fail "a slow write failed"
dmesg | grep 'timed out' && fail "the kernel gave up a connection that lives"
[ $(($(written) - before)) = 4096 ] || fail "a slow write of 4096 bytes became $(($(written) - before))"
echo "a slow request was sent once; the kernel looked at it $(dmesg | grep -c 'Possible stuck') times"

# The same one with nbdd killed under it.
late_write 1
killed=${EPOCHREALTIME/./}
kill -KILL "$(peer nbdd)"
kill -CONT "$blockerb"
wait $writer || fail "a write failed when nbdd was killed"
pause=$(((${EPOCHREALTIME/./} - killed) / 1000))
[ $pause -lt 15000 ] || fail "a write under way when nbdd was killed took $pause ms"
echo "a request under way when nbdd was killed took $pause ms more"

vlmc unmap late
[ "$(cat "$sys/queue/io_timeout")" = 30000 ] || fail "the device isn't as it was before"
cat /mnt/store/block /mnt/store/block >/mnt/store/blocks
vlmc export late /mnt/store/late
cmp -n 8192 /mnt/store/late /mnt/store/blocks || fail "other content"
