# shellcheck shell=bash disable=SC2154,SC2016 # lib.sh and run.sh set variables; the container's shell expands
# What goes wrong on a node, and what the user is told.

# configured EDIT: the shipped configuration, changed by a sed script, on a node that doesn't run.
configured() {
	off
	x sed -i "$1" /etc/archipelago/archipelago.conf
}

scenario_broken_configuration() {
	configured 's/^nodes = .*/nodez = 1/'
	gives 2 archipelago start
	says 'archipelago.conf:[0-9]+:[0-9]+: .*nodez'
	gives 2 archipelago status
}

scenario_overlapping_ports() {
	configured "s/'portno': 1001,/'portno': 1000,/"
	gives 2 archipelago start
	says 'archipelago.conf:[0-9]+'
}

scenario_segment_too_small() {
	configured 's/^SEGMENT_SIZE = .*/SEGMENT_SIZE = 16/'
	gives 1 archipelago start
	says 'SEGMENT_SIZE|MiB|segment'
	off
}

scenario_read_only_store() {
	off
	xs 'mount --bind /srv/archip /srv/archip; mount -o remount,bind,ro /srv/archip'
	local status=0
	output=$(x archipelago start 2>&1) || status=$?
	echo "$output"
	x umount /srv/archip
	[ "$status" != 0 ] || fail 'it started on a store that cannot be written to'
	says '[Rr]ead-only'
	off
}

scenario_full_shared_memory() {
	off
	xs 'head -c 100G /dev/zero >/dev/shm/full 2>/dev/null || true'
	local status=0
	output=$(x archipelago start 2>&1) || status=$?
	echo "$output"
	x rm /dev/shm/full
	[ "$status" != 0 ] || fail 'it started without memory'
	says '[Nn]o space|ENOSPC|/dev/shm'
	up
}

# taken_port: another process has the port of a peer.
scenario_taken_port() {
	off
	x systemctl start archipelago-segment.service
	x runuser -u archipelago -- /usr/bin/archip-filed blockerb >"$work/holder" 2>&1 &
	local holder=$!
	within xs 'xseg report | grep -q blockerb'
	local status=0
	output=$(x archipelago start --timeout 10s 2>&1) || status=$?
	echo "$output"
	x bash -c 'kill -KILL $(pidof archip-filed)' || true
	wait "$holder" || true
	[ "$status" != 0 ] || fail 'it started beside another process on its port'
	off
	up
}

scenario_bus_gone() {
	off
	x bash -c 'while ! pidof -s archip-filed >/dev/null; do sleep 0.02; done; kill -KILL $(pidof dbus-daemon)' &
	local killer=$! status=0
	output=$(x timeout "$patience" archipelago start 2>&1) || status=$?
	echo "$output"
	wait "$killer" || true
	[ "$status" != 124 ] || fail 'it hangs'
	[ "$status" = 0 ] || says 'bus'
	# The node itself needs no bus: what was started goes on, and a restart completes it.
	within x systemctl start dbus.socket
	within x archipelago restart
	gives 0 archipelago status
}

scenario_no_bus() {
	up
	xs 'systemctl stop dbus.socket; kill -KILL $(pidof dbus-daemon) || true; mv /run/dbus/system_bus_socket /run/dbus/away'
	local status=0
	output=$(x archipelago stop 2>&1) || status=$?
	echo "$output"
	xs 'mv /run/dbus/away /run/dbus/system_bus_socket; systemctl restart dbus.socket'
	[ "$status" != 0 ]
	says 'archipelago run|bus'
	up
}
