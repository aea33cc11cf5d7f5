#!/usr/bin/env bash
# Makes the image of a small Debian system in the cache and prints its path; does nothing if it is
# there already. It has no kernel: QEMU is given one. Exit status 77: it can't be done here, with
# the reason.
#
# Its own target, load.target, starts load.service instead of everything: a load that writes,
# then, after a reboot, a check of what it had written.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
cache=${ARCHIPELAGO_TEST_CACHE:-${XDG_CACHE_HOME:-/var/cache}/archipelago-test}/image
image=$cache/debian.img

skip() {
	echo "$*"
	exit 77
}

[ "$(id -u)" -eq 0 ] || skip "only root can make the image of a Debian system"
for tool in mmdebstrap mke2fs; do
	command -v "$tool" >/dev/null || skip "$tool is not installed"
done
mkdir -p "$cache" 2>/dev/null || skip "the cache directory $cache can't be made"
exec 9>"$cache/lock"
flock 9

# The packages take minutes: they are kept apart from what is ours in the image.
if [ ! -s "$cache/debian.tar" ]; then
	mmdebstrap --quiet --variant=minbase --include=systemd-sysv --aptopt='Acquire::Languages "none"' \
		--dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-exclude=/usr/share/man/*' \
		--dpkgopt='path-exclude=/usr/share/locale/*' \
		bookworm "$cache/new.tar" >"$cache/log" 2>&1 || skip "mmdebstrap failed: $(tail -1 "$cache/log")"
	mv "$cache/new.tar" "$cache/debian.tar"
fi

if [ ! "$image" -nt "$cache/debian.tar" ] || [ ! "$image" -nt "$here/load" ] || [ ! "$image" -nt "$here/image.sh" ]; then
	root=$(mktemp -d "$cache/root-XXXXXX")
	trap 'rm -rf "$root"' EXIT
	tar -C "$root" -xf "$cache/debian.tar" --exclude=./dev/*
	install -m 755 "$here/load" "$root/usr/local/bin/load"
	rm -rf "$root"/var/cache/apt/* "$root"/var/lib/apt/lists/*
	echo archipelago >"$root/etc/hostname"
	echo '/dev/vda / ext4 defaults 0 0' >"$root/etc/fstab"
	printf '%s\n' '[Unit]' 'Description=Load' 'Requires=load.service' 'AllowIsolate=yes' \
		>"$root/etc/systemd/system/load.target"
	printf '%s\n' '[Unit]' 'Description=Write, or check what was written' 'DefaultDependencies=no' \
		'After=systemd-remount-fs.service' 'Wants=systemd-remount-fs.service' \
		'[Service]' 'Type=oneshot' 'ExecStart=/usr/local/bin/load' 'StandardOutput=tty' \
		'StandardError=tty' 'TTYPath=/dev/ttyS0' 'TimeoutStartSec=infinity' \
		>"$root/etc/systemd/system/load.service"
	rm -f "$image.new"
	truncate -s 640M "$image.new"
	mke2fs -q -t ext4 -F -E lazy_itable_init=0,lazy_journal_init=0,nodiscard -d "$root" "$image.new"
	mv "$image.new" "$image"
fi
echo "$image"
