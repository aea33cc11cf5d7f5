# shellcheck shell=bash disable=SC2154,SC2016 # lib.sh and run.sh set variables; the container's shell expands
# A node at work.

scenario_missing_directory() {
	off
	x rm -rf /srv/archip
	gives 1 archipelago start
	says '/srv/archip/(blocks|maps)'
	gives 13 archipelago status
}

scenario_start() {
	off
	gives 0 archipelago start
	gives 0 archipelago status
	says '^vlmcd +running'
	gives 0 archipelago start # again: nothing to do
	local role
	for role in $(roles); do
		[ "$(pid_of "$role")" != 0 ] || fail "$role has no process"
		xs "[ \$(stat -c %U /proc/$(pid_of "$role")) = archipelago ]"
	done
	xs '[ -z "$(systemctl --failed --no-legend)" ]'
}

scenario_volumes() {
	up
	xs 'for name in web1 master origin; do vlmc remove $name 2>/dev/null || true; done
		head -c 20M /dev/urandom >/tmp/image
		vlmc import /tmp/image origin
		vlmc snapshot origin master
		vlmc clone master web1
		vlmc export web1 /tmp/copy
		cmp /tmp/image /tmp/copy
		vlmc list | grep -x web1
		vlmc remove web1
		vlmc remove master
		vlmc remove origin
		rm /tmp/image /tmp/copy'
}

scenario_nbd() {
	up
	volume disk
	fio_verify disk 1
}

scenario_kill_each_peer() {
	local role round before
	up
	load_begin disk
	for ((round = 0; round < $(rounds 1 10); round++)); do
		for role in $(roles); do
			before=$(restarts_of "$role")
			strike "$role" KILL
			[ "$(restarts_of "$role")" -gt "$before" ] || fail "systemd counted no restart of $role"
		done
	done
	load_end
	gives 0 archipelago status
}

scenario_many_kills_in_a_row() {
	local round
	up
	load_begin disk
	for ((round = 0; round < $(rounds 12 50); round++)); do
		strike vlmcd KILL
	done
	load_end
	gives 0 archipelago status
}

scenario_kill_all_at_once() {
	local role pids=()
	up
	load_begin disk
	for role in $(roles); do pids+=("$(pid_of "$role")"); done
	x bash -c "kill -KILL ${pids[*]}"
	for role in $(roles); do
		within another_pid "$role" "${pids[0]}"
		pids=("${pids[@]:1}")
	done
	load_end
}

scenario_stopped_peer_is_killed() {
	local role
	up
	load_begin disk
	for role in ${full:+blockerb blockerm mapperd nbdd} vlmcd; do
		strike "$role" STOP # the watchdog kills it
	done
	load_end
	gives 0 archipelago status
}

scenario_restart_role() {
	local role pid
	up
	volume disk
	fio_verify disk 3 >"$work/fio" 2>&1 &
	local fio=$!
	for role in vlmcd mapperd blockerb blockerm; do
		pid=$(pid_of "$role")
		gives 0 archipelago restart "$role"
		[ "$(pid_of "$role")" != "$pid" ] || fail "$role is the process it was"
	done
	wait "$fio" || fail "fio: $(cat "$work/fio")"
}

scenario_restart_nbdd() {
	up
	volume disk
	fio_verify disk 3 >"$work/fio" 2>&1 &
	local fio=$!
	gives 0 archipelago restart nbdd
	wait "$fio" || fail "fio: $(cat "$work/fio")"
}

scenario_restart_all() {
	up
	load_begin disk
	local round
	for ((round = 0; round < $(rounds 3 10); round++)); do
		gives 0 archipelago restart
	done
	load_end
	paused_less_than 8000
}

scenario_stop_and_start() {
	up
	volume disk
	x vlmc open disk
	gives 0 archipelago stop
	gives 13 archipelago status
	xs '[ ! -e /dev/shm/archipelago ]; ! pidof archip-vlmcd'
	gives 0 archipelago start
	gives 0 vlmc info disk
}

scenario_reboot() {
	up
	volume disk
	fio_verify disk 1
	"$here/container.sh" reboot "$node"
	[ "$(x systemctl is-active archipelago.target || true)" = inactive ]
	gives 13 archipelago status
	x systemctl enable archipelago.target
	"$here/container.sh" reboot "$node"
	within x archipelago status
	gives 0 vlmc info disk
	x systemctl disable archipelago.target
}

scenario_crash() {
	up
	volume disk
	xs 'head -c 8M /dev/urandom >/root/image; vlmc remove crashed 2>/dev/null || true; vlmc import /root/image crashed'
	"$here/container.sh" crash "$node"
	gives 0 archipelago start
	xs 'vlmc export crashed /root/copy; cmp /root/image /root/copy; rm /root/image /root/copy'
}

# with_loop_devices makes a node that runs with fused, so that volumes can be mapped in a container.
with_loop_devices() {
	[ -e /dev/loop-control ] || skip 'this machine has no loop devices'
	[ -e /dev/fuse ] || skip 'this machine has no FUSE'
	off
	# As udev makes them on a machine; a container has no udev.
	xs '[ -e /dev/fuse ] || mknod -m 666 /dev/fuse c 10 229
		[ -e /dev/loop-control ] || mknod -m 660 /dev/loop-control c 10 237'
	x sed -i "s/^    ('nbdd', 'nbdd'),/&\n    ('fused', 'fused'),/; s/^map_driver = .*/map_driver = 'loop'/
		\$ a fused = {'portno': 1031, 'vlmcd_port': 500, 'mapper_port': 1001}" /etc/archipelago/archipelago.conf
	x archipelago start
}

scenario_stop_refused_while_mapped() {
	with_loop_devices
	volume disk
	x vlmc map disk
	gives 12 archipelago stop
	says 'disk \(/dev/loop[0-9]+\)'
	gives 0 archipelago status
	x vlmc unmap disk
	gives 0 archipelago stop
}

# A container has no devices of the kernel's NBD client; that the program of their unit runs can be
# seen all the same, and that it isn't started again and again for a volume that isn't mapped.
scenario_unit_of_a_device() {
	up
	volume disk-1
	gives 1 systemctl start "$(systemd-escape --template=archipelago-map@.service disk-1)"
	within xs 'journalctl -t archip-map --no-pager | grep -q "volume disk-1 is not mapped"'
	[ "$(x systemctl is-active 'archipelago-map@disk\x2d1.service' || true)" = inactive ]
	xs '[ -z "$(systemctl --failed --no-legend)" ]'
	[ "$(x journalctl -t archip-map --no-pager | grep -c 'is not mapped')" = 1 ]
}

scenario_stop_by_force_while_mapped() {
	with_loop_devices
	volume disk
	x vlmc map disk
	gives 0 archipelago stop -f
	gives 13 archipelago status
	# What it left behind doesn't keep the node from coming back.
	gives 0 archipelago start
	x vlmc unmap disk || true
	gives 0 archipelago stop
	xs '! losetup -a | grep archipelago'
}
