# shellcheck shell=bash
# Part of nbd-guest.sh, which has set bin and node and has the functions that aren't here: a write
# whose answer is late. While nbdd lives the kernel sends it once, however long it takes; when nbdd is
# killed the kernel sends it again soon.
: "${bin:?}" "${node:?}"

vlmc create late -s 8
device=$(vlmc map --driver nbd late)
sys=/sys/block/${device#/dev/}
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
# late_write BLOCK: writes it in the background while blockerb is stopped; go_on lets it go on, if the
# watchdog hasn't done so.
late_write() {
	blockerb=$(peer blockerb)
	kill -STOP "$blockerb"
	dd if=/mnt/store/block of="$device" bs=4096 count=1 seek="$1" conv=notrunc oflag=direct status=none &
	writer=$!
	until_true 10 under_way || fail "no request is under way"
}
go_on() { kill -CONT "$blockerb" 2>/dev/null || true; }
under_way() { [ "$(awk '{ print $2 }' "$sys/inflight")" = 1 ]; }
# written: what vlmcd has written, over all volumes.
written() {
	"$bin/archipelago" -d "$node" status --json | tr '{' '\n' |
		sed -n 's/.*"role":"vlmcd".*"bytes_written":\([0-9]*\).*/\1/p'
}
looked_at() { [ "$(dmesg | grep -c -e 'Possible stuck request' -e 'timed out')" -ge 3 ]; }

# A slow request.
dmesg -C
before=$(written)
late_write 0
until_true 30 looked_at || fail "the kernel doesn't look at requests that wait"
go_on
wait $writer || fail "a slow write failed"
dmesg | grep 'timed out' && fail "the kernel gave up a connection that lives"
[ $(($(written) - before)) = 4096 ] || fail "a slow write of 4096 bytes became $(($(written) - before))"
echo "a slow request was sent once; the kernel looked at it $(dmesg | grep -c 'Possible stuck') times"

# Another process holds the device from now on, as a service manager may run it: as root, but with one
# right alone.
kill -KILL "$(vlmc showmapped --json | sed -n 's/.*"name":"late".*"holder":\([0-9]*\).*/\1/p')"
setpriv --bounding-set=-all,+sys_admin --no-new-privs \
	"$bin/vlmc" -d "$node" map --hold late >/mnt/store/held 2>&1 &
holder=$!
until_true 30 grep -q '^held$' /mnt/store/held || fail "nobody holds the device: $(cat /mnt/store/held)"

# The same write with nbdd killed under it.
late_write 1
killed=${EPOCHREALTIME/./}
kill -KILL "$(peer nbdd)"
go_on
wait $writer || fail "a write failed when nbdd was killed"
pause=$(((${EPOCHREALTIME/./} - killed) / 1000))
[ $pause -lt 15000 ] || fail "a write under way when nbdd was killed took $pause ms"
echo "a request under way when nbdd was killed took $pause ms more"

vlmc unmap late
wait $holder || fail "the process that held the device ended so: $(cat /mnt/store/held)"
[ "$(cat "$sys/queue/io_timeout")" = 30000 ] || fail "the device isn't as it was before"
cat /mnt/store/block /mnt/store/block >/mnt/store/blocks
vlmc export late /mnt/store/late
cmp -n 8192 /mnt/store/late /mnt/store/blocks || fail "other content"
