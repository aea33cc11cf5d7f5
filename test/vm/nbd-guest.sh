#!/usr/bin/env bash
# nbd-guest.sh BIN: runs in the guest: a volume as a device of the kernel's NBD client, under a file
# system, through an online resize, a killed and a restarted nbdd; then its content is compared.
# At last it looks at single requests whose answer is late.
set -euo pipefail
bin=$1
here=$(cd "$(dirname "$0")" && pwd)

# A filesystem that keeps what the host's one is not changed by; the guest's disk is its memory.
mkdir -p /mnt/store /mnt/volume
mount -t tmpfs store /mnt/store
node=/mnt/store/node
fail() {
	echo "FAIL: $*"
	tail -20 /mnt/store/log || true
	dmesg | tail -20
	exit 1
}
vlmc() { "$bin/vlmc" -d "$node" "$@"; }
# peer ROLE: the process that serves it.
peer() { pgrep -f "archip-[a-z]* -d $node $1" | head -1; }
# again ROLE OLD: waits until another process serves the role.
again() {
	local tries=0
	while [ "$(peer "$1")" = "$2" ] || [ -z "$(peer "$1")" ]; do
		tries=$((tries + 1))
		[ $tries -lt 600 ] || fail "$1 is not started again"
		sleep 0.05
	done
}

"$bin/archipelago" run -d "$node" >/mnt/store/out 2>/mnt/store/log &
tries=0
until grep -q ^ready: /mnt/store/out; do
	tries=$((tries + 1))
	[ $tries -lt 600 ] || fail "the node isn't ready"
	sleep 0.1
done
echo "node is ready, uptime $(cut -d' ' -f1 /proc/uptime) s"

vlmc create disk -s 24
device=$(vlmc map --driver nbd disk)
[ "$device" = "$(vlmc map disk)" ] || fail "map of a mapped volume prints another device"
[ "$(vlmc showmapped | tail -1)" = "${device#/dev/nbd}	disk	$device" ] || fail "showmapped: $(vlmc showmapped)"
vlmc remove disk 2>/dev/null && fail "a mapped volume was removed"
mkfs.ext4 -q -E lazy_itable_init=0,lazy_journal_init=0 "$device"
mount "$device" /mnt/volume
vlmc unmap disk 2>/mnt/store/refused && fail "a mounted device was unmapped"
grep -q "mounted at /mnt/volume" /mnt/store/refused || fail "refused with: $(cat /mnt/store/refused)"

# write_load FILE MIB: writes random bytes with an fsync per MiB; its sum is kept in FILE.sum.
write_load() {
	head -c "$2M" /dev/urandom >/mnt/store/data
	dd if=/mnt/store/data of="$1" bs=1M oflag=dsync status=none || fail "write to $1"
	sha256sum </mnt/store/data >"/mnt/store/$(basename "$1").sum"
}
check() {
	local file
	echo 3 >/proc/sys/vm/drop_caches
	for file in "$@"; do
		sha256sum <"/mnt/volume/$file" | cmp - "/mnt/store/$file.sum" || fail "$file has other content"
	done
}

write_load /mnt/volume/before 2
vlmc resize disk -s 40 >/dev/null
[ "$(blockdev --getsize64 "$device")" = $((40 << 20)) ] || fail "the device doesn't show the new size"
resize2fs "$device" >/dev/null 2>&1 || fail "resize2fs"
echo "resized, uptime $(cut -d' ' -f1 /proc/uptime) s"

for signal in KILL TERM; do
	old=$(peer nbdd)
	write_load "/mnt/volume/$signal" 4 &
	writer=$!
	sleep 0.3 # let the load begin; where it is when the signal comes doesn't matter
	kill -$signal "$old"
	again nbdd "$old"
	wait $writer || fail "the load failed when nbdd got SIG$signal"
	echo "nbdd got SIG$signal, uptime $(cut -d' ' -f1 /proc/uptime) s"
done
check before KILL TERM
dmesg | grep -i 'i/o error' && fail "the kernel saw I/O errors"

umount /mnt/volume
direct=$(dd if="$device" bs=1M iflag=direct status=none | sha256sum)
[ "$direct" = "$(vlmc export disk - | sha256sum)" ] || fail "device and volume differ"
vlmc unmap "$device"
[ -z "$(pgrep -f 'map --hold' || true)" ] || sleep 1
[ -z "$(pgrep -f 'map --hold' || true)" ] || fail "the process that held the device is still there"

vlmc snapshot disk still >/dev/null
device=$(vlmc map still)
[ "$(blockdev --getro "$device")" = 1 ] || fail "a snapshot is mapped for writing"
mount -o ro,noload "$device" /mnt/volume
check before KILL TERM
umount /mnt/volume
vlmc unmap still

# shellcheck source=/dev/null
. "$here/nbd-late.sh"

kill -TERM %1
wait %1 || fail "the node didn't stop cleanly"
echo "PASS uptime $(cut -d' ' -f1 /proc/uptime) s"
