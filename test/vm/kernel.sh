#!/usr/bin/env bash
# Fetches Debian's kernel into the cache and prepares it for booting in QEMU: unpacked, so that the
# guest needn't do that in emulation, and with an initramfs that makes the host's root directory its
# own. Prints the directory that holds vmlinux, initramfs and modules/. Does nothing that is done
# already. Exit status 77: it can't be done here, with the reason.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
cache=${ARCHIPELAGO_TEST_CACHE:-${XDG_CACHE_HOME:-/var/cache}/archipelago-test}/kernel

skip() {
	echo "$*"
	exit 77
}

for tool in apt-get dpkg-deb depmod cpio xz busybox qemu-system-x86_64; do
	command -v "$tool" >/dev/null || skip "$tool is not installed"
done
mkdir -p "$cache" 2>/dev/null || skip "the cache directory $cache can't be made"
exec 9>"$cache/lock"
flock 9

package=$(apt-cache depends linux-image-amd64 2>/dev/null | sed -n 's/^ *Depends: \(linux-image-[0-9].*\)/\1/p' | head -1)
[ -n "$package" ] || skip "apt knows no package linux-image-amd64"
version=${package#linux-image-}
dir=$cache/$version

fetch() {
	[ -d "$dir/modules" ] && return
	local new=$dir.new
	rm -rf "$new"
	mkdir -p "$new"
	(cd "$new" && apt-get -qq download "$package" 2>/dev/null) || skip "apt-get can't download $package"
	dpkg-deb -x "$new"/linux-image-*.deb "$new/root"
	mkdir -p "$new/modules/lib"
	mv "$new/root/lib/modules" "$new/modules/lib/"
	mv "$new/root/boot/vmlinuz-$version" "$new/vmlinuz"
	rm -rf "$new/root" "$new"/*.deb
	depmod -b "$new/modules" "$version"
	rm -rf "$dir"
	mv "$new" "$dir"
}

# offsets: where xz streams begin in vmlinuz.
offsets() {
	LC_ALL=C grep -aboP '\xfd7zXZ\x00' "$dir/vmlinuz" | cut -d: -f1
}

# The kernel proper is an xz stream inside vmlinuz; xz complains of what comes behind it.
unpack() {
	[ -s "$dir/vmlinux" ] && return
	local at
	while read -r at; do
		tail -c "+$((at + 1))" "$dir/vmlinuz" | xz -dc >"$dir/vmlinux.new" 2>/dev/null || true
		if [ "$(head -c 4 "$dir/vmlinux.new" | tr -d '\177')" = ELF ]; then
			mv "$dir/vmlinux.new" "$dir/vmlinux"
			return
		fi
	done < <(offsets)
	skip "no kernel found inside $dir/vmlinuz"
}

# modules_for NAME...: the files of modules and of what they need, in the order of loading.
modules_for() {
	local name
	for name in "$@"; do
		modprobe -d "$dir/modules" -S "$version" --show-depends "$name" 2>/dev/null
	done | awk '$1 == "insmod" && !seen[$2]++ { print $2 }'
}

initramfs() {
	[ "$dir/initramfs" -nt "$here/init" ] && [ "$dir/initramfs" -nt "$here/kernel.sh" ] && return
	local work file
	work=$(mktemp -d)
	mkdir -p "$work"/{bin,dev,proc,sys,mnt,modules}
	cp "$(command -v busybox)" "$work/bin/busybox"
	cp "$here/init" "$work/init"
	chmod 755 "$work/init"
	for file in $(modules_for virtio_pci 9pnet_virtio 9p overlay virtio_console virtio_blk ext4); do
		cp "$file" "$work/modules/"
		basename "$file" >>"$work/modules/order"
	done
	[ -s "$work/modules/order" ] || skip "the package of the kernel has no modules for a guest"
	(cd "$work" && find . | cpio -o -H newc --quiet | gzip -1) >"$dir/initramfs.new"
	mv "$dir/initramfs.new" "$dir/initramfs"
	rm -rf "$work"
}

fetch
unpack
initramfs
echo "$version" >"$dir/version"
echo "$dir"
