#!/usr/bin/env bash
# Systemd containers for tests, on a machine whose own pid 1 need not be systemd.
#   container.sh up NAME [--bind-ro SRC:DST]...  boots one; no network in it
#   container.sh exec NAME CMD...   runs CMD inside, with a clean environment, in the caller's cgroup
#   container.sh run  NAME CMD...   the same as a unit of the container's own
#   container.sh as   NAME USER CMD...
#   container.sh push NAME SRC... DST  copies files into it
#   container.sh logs NAME [JOURNALCTL OPTIONS]
#   container.sh reboot|crash NAME  in order | by SIGKILL of its pid 1; the same disk boots again
#   container.sh down NAME          ends it at once; nothing is left
#   container.sh reap               ends all that interrupted runs left
#
# What a container writes goes to an overlay on a tmpfs in a mount namespace of its own, so that
# even SIGKILL of everything leaves no mount behind. CONTAINER_ROOT is the file system below.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
state=${CONTAINER_STATE:-/run/archipelago-test}
boot_timeout=120 # seconds; a loaded machine is slow
stop_timeout=60

die() {
	echo "container.sh: $*" >&2
	exit 1
}

leader() { cat "$dir/leader" 2>/dev/null || die "$name is not up"; }

# enter runs a command in all namespaces of the container. The environment of this machine must not
# leak in.
enter() {
	local pid
	pid=$(leader)
	nsenter -t "$pid" -m -u -i -n -p -C -r -w -- env -i \
		PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root \
		LANG=C.UTF-8 TERM=dumb DEBIAN_FRONTEND=noninteractive container=systemd-nspawn "$@"
}

# supervise mounts the disk and runs the container until it is down, again after a reboot. It runs
# in a mount namespace of its own.
# shellcheck disable=SC2317 # called by name in another shell
supervise() {
	set -eu
	local disk=$CONTAINER_DIR/fs group=/sys/fs/cgroup/archipelago-test-$CONTAINER_NAME rc
	# Debian's systemd has cgroup v2 alone; the machine may have both.
	if [ "$(stat -fc %T /sys/fs/cgroup)" != cgroup2fs ]; then
		umount -R -l /sys/fs/cgroup 2>/dev/null || true
		mount -t cgroup2 cgroup2 /sys/fs/cgroup
	fi
	mkdir -p "$group" "$disk" /run/systemd/nspawn
	mount -t tmpfs -o mode=755 tmpfs /run/systemd/nspawn
	mount -t tmpfs -o mode=755 tmpfs "$disk"
	mkdir "$disk/upper" "$disk/work" "$disk/$CONTAINER_NAME"
	mount -t overlay overlay "$disk/$CONTAINER_NAME" \
		-o "lowerdir=$CONTAINER_ROOT,upperdir=$disk/upper,workdir=$disk/work"
	echo "$CONTAINER_NAME" >"$disk/$CONTAINER_NAME/etc/hostname"
	echo $$ >"$CONTAINER_DIR/pid"
	while :; do
		rc=0
		# Only nspawn enters the cgroup and moves on: with another process in it no
		# controller could be delegated to the container.
		(
			echo "$BASHPID" >"$group/cgroup.procs"
			exec systemd-nspawn --quiet -D "$disk/$CONTAINER_NAME" --boot --private-network \
				--machine="$CONTAINER_NAME" --hostname="$CONTAINER_NAME" --register=no --keep-unit \
				--console=pipe --link-journal=no --timezone=off "$@" \
				-- systemd.log_target=console systemd.show_status=0
		) &
		echo $! >"$CONTAINER_DIR/nspawn"
		wait $! || rc=$?
		# 133: with --keep-unit nspawn ends so when the container reboots.
		if [ -e "$CONTAINER_DIR/again" ]; then
			rm -f "$CONTAINER_DIR/again"
		elif [ "$rc" != 133 ]; then
			exit "$rc"
		fi
	done
}

up() {
	local extra=() pid
	while (($#)); do
		case $1 in
		--bind-ro)
			extra+=("--bind-ro=$2")
			shift 2
			;;
		*) die "unknown option $1" ;;
		esac
	done
	[ -z "$(cat "$dir/leader" 2>/dev/null)" ] || die "$name is there already"
	mkdir -p "$dir"
	CONTAINER_ROOT=${CONTAINER_ROOT:-$("$here/rootfs.sh")}
	export CONTAINER_ROOT CONTAINER_NAME=$name CONTAINER_DIR=$dir
	setsid unshare --mount --propagation private \
		bash -c "$(declare -f supervise); supervise \"\$@\"" supervise "${extra[@]}" \
		</dev/null >"$dir/console.log" 2>&1 &
	wait_boot $!
}

# alive PID WHAT fails the boot if a process of it is gone.
alive() {
	kill -0 "$1" 2>/dev/null && return
	cat "$dir/console.log" >&2
	die "$2 died during the boot"
}

# find_leader prints the container's pid 1, once it is systemd.
find_leader() {
	local nspawn child children
	nspawn=$(cat "$dir/nspawn" 2>/dev/null) || return 1
	read -ra children <"/proc/$nspawn/task/$nspawn/children" || true
	for child in "${children[@]}"; do
		if [ "$(awk '/^NSpid/ { print $NF }' "/proc/$child/status" 2>/dev/null)" = 1 ] &&
			[ "$(cat "/proc/$child/comm" 2>/dev/null)" = systemd ]; then
			echo "$child"
			return
		fi
	done
	return 1
}

# wait_boot SUPERVISOR returns when the container has started all it wants to.
wait_boot() {
	local deadline=$((SECONDS + boot_timeout)) pid state=
	until pid=$(find_leader); do
		((SECONDS < deadline)) || die "$name: no systemd after $boot_timeout s"
		alive "$1" "$name: supervisor"
		sleep 0.05
	done
	echo "$pid" >"$dir/leader"
	until [ "$state" = running ] || [ "$state" = degraded ]; do
		((SECONDS < deadline)) || die "$name: still $state after $boot_timeout s"
		alive "$1" "$name: supervisor"
		state=$(enter timeout "$boot_timeout" systemctl is-system-running --wait 2>/dev/null) || true
		[ -n "$state" ] || sleep 0.1
	done
	if [ "$state" = degraded ]; then
		enter systemctl --failed --no-legend --plain >&2
		return 3
	fi
}

# again VERB boots the same disk anew. The page cache survives a crash: it is no power cut.
again() {
	local supervisor rounds=$((stop_timeout * 20))
	supervisor=$(cat "$dir/pid")
	touch "$dir/again"
	if [ "$1" = crash ]; then kill -KILL "$(leader)"; else enter systemctl reboot; fi
	while [ -e "$dir/again" ]; do
		((rounds-- > 0)) || die "$name does not go down"
		sleep 0.05
	done
	rm -f "$dir/leader"
	wait_boot "$supervisor"
}

# down ends a container. The kernel ends the processes of a killed pid 1; cgroups alone outlive the
# namespaces, and a container outlives an nspawn that was killed: cgroup.kill ends exactly it.
down() {
	local file pid
	rm -f "$dir/again"
	for file in leader nspawn pid; do
		pid=$(cat "$dir/$file" 2>/dev/null) || continue
		kill -KILL "$pid" 2>/dev/null || true
	done
	mkdir -p "$dir/cgroup"
	# shellcheck disable=SC2016 # the inner shell expands
	CONTAINER_DIR=$dir CONTAINER_NAME=$name unshare --mount --propagation private bash -c '
		mount -t cgroup2 cgroup2 "$CONTAINER_DIR/cgroup" || exit 0
		group=$CONTAINER_DIR/cgroup/archipelago-test-$CONTAINER_NAME
		[ -d "$group" ] || exit 0
		echo 1 >"$group/cgroup.kill"
		for ((i = 0; i < 200; i++)); do
			grep -q "populated 1" "$group/cgroup.events" || break
			sleep 0.05
		done
		find "$group" -depth -type d -exec rmdir {} \;'
	rm -rf --one-file-system "$dir"
}

verb=${1:-}
[ -n "$verb" ] || die "usage: container.sh VERB [NAME] ..."
if [ "$verb" = reap ]; then
	for found in "$state"/*/; do
		if [ -d "$found" ]; then
			echo "reap: container $(basename "$found")"
			"$0" down "$(basename "$found")"
		fi
	done
	exit 0
fi
name=${2:?container.sh: which container?}
dir=$state/$name
shift 2
case $verb in
up) up "$@" ;;
exec) enter "$@" ;;
run) enter systemd-run --quiet --wait --pipe --collect --service-type=exec -- "$@" ;;
as)
	user=$1
	shift
	enter runuser -u "$user" -- "$@"
	;;
push) cp -a "${@:1:$#-1}" "/proc/$(leader)/root${!#}" ;;
logs) enter journalctl --no-pager "$@" ;;
reboot | crash) again "$verb" ;;
down) down ;;
*) die "unknown verb $verb" ;;
esac
