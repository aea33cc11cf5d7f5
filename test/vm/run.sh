#!/usr/bin/env bash
# run.sh [-t SECONDS] [-m MIB] COMMAND [ARGUMENT...]: boots Debian's kernel in QEMU (emulation) with
# the host's root directory as a read-only root, runs the command in it as root, and ends with its
# exit status. What the command writes comes out here. Exit status 124: it took too long; 125: the
# guest died; 77: it can't be done here, with the reason.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
limit=150 memory=1024
while getopts t:m: option; do
	case $option in
	t) limit=$OPTARG ;;
	m) memory=$OPTARG ;;
	*) exit 2 ;;
	esac
done
shift $((OPTIND - 1))

[ "$(id -u)" -eq 0 ] || { echo "only root can show the whole root directory to a guest"; exit 77; }
status=0
kernel=$(bash "$here/kernel.sh") || status=$?
if [ $status -ne 0 ]; then
	echo "$kernel"
	exit $status
fi

control=$(mktemp -d "${TMPDIR:-/tmp}/archip-test-vm-XXXXXX")
trap 'rm -rf "$control"' EXIT
printf '%q ' "$@" >"$control/command"
cat >"$control/start" <<-START
	export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root TERM=dumb
	mount --bind $kernel/modules/lib/modules /lib/modules
	ip link set lo up
	hostname vm
	until [ -e /dev/vport0p1 ] || [ -e /dev/vport1p1 ] || [ -e /dev/vport2p1 ]; do sleep 0.02; done
	out=\$(ls /dev/vport*p1 | head -1)
	cd /
	bash /run/control/command >"\$out" 2>&1 </dev/null
	echo \$? >/run/control/status
	dmesg >/run/control/dmesg
	echo o >/proc/sysrq-trigger
	sleep 10
START

timeout -k 5 "$limit" qemu-system-x86_64 \
	-M q35 -accel tcg,thread=multi,tb-size=512 -cpu max,pcid=off,la57=off -smp 2 -m "$memory" \
	-nodefaults -no-user-config -display none -no-reboot \
	-kernel "$kernel/vmlinux" -initrd "$kernel/initramfs" \
	-append "console=ttyS0 panic=-1 quiet mitigations=off nokaslr tsc=reliable random.trust_cpu=on no_timer_check oops=panic" \
	-chardev "file,id=console,path=$control/console" -serial chardev:console \
	-device virtio-serial-pci -chardev file,id=out,path=/dev/fd/1,append=on -device virtserialport,chardev=out,name=out \
	-device virtio-rng-pci \
	-fsdev local,id=root,path=/,security_model=none,readonly=on,multidevs=remap -device virtio-9p-pci,fsdev=root,mount_tag=hostroot \
	-fsdev "local,id=control,path=$control,security_model=none" -device virtio-9p-pci,fsdev=control,mount_tag=control \
	</dev/null | cat && status=0 || status=$?
if [ -s "$control/status" ]; then
	[ -z "${VM_VERBOSE:-}" ] || tail -30 "$control/dmesg"
	exit "$(cat "$control/status")"
fi
echo "the guest has ended (QEMU: $status); end of its console:"
tail -40 "$control/console"
[ $status -ne 124 ] || exit 124
exit 125
