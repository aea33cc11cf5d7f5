#!/usr/bin/env bash
# Makes the root file system of the test containers, once: a minimal Debian with systemd, and prints
# its directory. The directory is named by what it is made of, so that a change makes a new one.
#
# It holds nothing that the packages under test ought to bring by their Depends, but for the tools of
# the tests (fio) and what is recommended or needed for more than a node: polkit, FUSE, scripts of the
# manual.
set -euo pipefail

suite=bookworm
packages=systemd,systemd-sysv,dbus,polkitd,fio,libjs-sphinxdoc,fuse3
cache=${XDG_CACHE_HOME:-/var/cache}/archipelago-test
key=$(printf '%s\n' "$suite" "$packages" | cat - "$0" | sha256sum | cut -c1-12)
root=$cache/rootfs-$suite-$key

# debian_sources prints the archive of this machine, without what else it may have configured.
debian_sources() {
	local file=/etc/apt/sources.list.d/debian.sources
	if [ -s "$file" ]; then
		awk '/^URIs:/ { uri = $2 }
			/^Suites:/ { $1 = ""; suites = $0 }
			/^Components:/ {
				$1 = ""
				n = split(suites, suite, " ")
				for (i = 1; i <= n; i++) print "deb", uri, suite[i], $0
			}' "$file"
	else
		grep -h '^deb .*debian' /etc/apt/sources.list
	fi | sed 's|^deb |deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] |'
}

# configure ROOT is what sets a container apart from a machine: no network, no timers that disturb a
# test, a machine id of its own at each first boot.
configure() {
	rm -f "$1/usr/sbin/policy-rc.d"
	echo node >"$1/etc/hostname"
	printf '127.0.0.1 localhost\n' >"$1/etc/hosts"
	: >"$1/etc/machine-id"
	rm -f "$1/var/lib/dbus/machine-id"
	local unit
	for unit in systemd-networkd.service systemd-resolved.service systemd-timesyncd.service \
		systemd-firstboot.service getty@tty1.service console-getty.service apt-daily.timer \
		apt-daily-upgrade.timer dpkg-db-backup.timer e2scrub_all.timer fstrim.timer; do
		ln -sf /dev/null "$1/etc/systemd/system/$unit"
	done
}

# build ROOT bootstraps it. Services must not start on the machine that builds.
build() {
	# shellcheck disable=SC2016 # mmdebstrap's own shell expands
	debian_sources | mmdebstrap --quiet --variant=minbase --include="$packages" \
		--aptopt='APT::Install-Recommends "false"' \
		--dpkgopt='path-exclude=/usr/share/locale/*' \
		--dpkgopt='path-exclude=/usr/share/info/*' \
		--dpkgopt='force-unsafe-io' \
		--setup-hook='mkdir -p "$1/usr/sbin"; printf "#!/bin/sh\nexit 101\n" >"$1/usr/sbin/policy-rc.d"; chmod 755 "$1/usr/sbin/policy-rc.d"' \
		--format=directory "$suite" "$1" - >&2
	configure "$1"
}

mkdir -p "$cache"
exec 9>"$cache/lock"
flock 9 # two runs at once build it once
if [ ! -e "$root/.complete" ]; then
	rm -rf --one-file-system "$cache"/rootfs-*
	build "$root"
	touch "$root/.complete"
fi
echo "$root"
