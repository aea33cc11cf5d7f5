# shellcheck shell=bash disable=SC2154,SC2016 # lib.sh and run.sh set variables; the container's shell expands
# Upgrade, downgrade, removal. The last scenario leaves no package.

# pids prints the processes of all roles.
pids() {
	local role
	for role in $(roles); do pid_of "$role"; done
}

# change WHICH installs the other version under load: every peer becomes that version, and
# the load sees a pause at most.
change() {
	local before
	up
	before=$(pids)
	load_begin disk
	from_repo "$1"
	load_end
	paused_less_than 8000
	gives 0 archipelago --version
	says "$(version_of "$1")"
	[ -z "$(comm -12 <(sort <<<"$before") <(pids | sort))" ] || fail 'a peer still runs the other version'
	gives 0 archipelago status
}

scenario_upgrade() {
	up
	xs 'echo "# mine" >>/etc/archipelago/archipelago.conf; cp /etc/archipelago/archipelago.conf /opt/archipelago.conf'
	change new
	x grep -q '^# mine' /etc/archipelago/archipelago.conf
	[ "$(x systemctl is-enabled archipelago.target || true)" = disabled ]
}

scenario_upgrade_under_fio() {
	up
	volume disk
	fio_verify disk 4 >"$work/fio" 2>&1 &
	local fio=$!
	xs "$apt --no-install-recommends --reinstall install archipelago </dev/null"
	wait "$fio" || fail "fio: $(cat "$work/fio")"
}

scenario_downgrade() {
	from_repo new
	change old
}

scenario_upgrade_of_a_stopped_node() {
	off
	x systemctl enable archipelago.target
	from_repo new
	[ "$(x systemctl is-active archipelago.target || true)" = inactive ]
	[ "$(x systemctl is-enabled archipelago.target)" = enabled ]
	x systemctl disable archipelago.target
}

scenario_remove_refused_while_mapped() {
	with_loop_devices
	volume disk
	x vlmc map disk
	gives 100 bash -c "$apt remove archipelago" # apt's status
	says 'vlmc unmap'
	gives 0 archipelago status
	x vlmc unmap disk
}

scenario_remove() {
	up
	volume disk
	xs "$apt remove archipelago archipelago-doc"
	xs '[ -e /etc/archipelago/archipelago.conf ]; [ ! -e /dev/shm/archipelago ]; [ -d /srv/archip/maps ]'
	xs '[ -z "$(systemctl list-units --no-legend --state=active "archipelago*")" ]; [ -z "$(systemctl --failed --no-legend)" ]'
	# It comes back as it was.
	from_repo new
	x grep -q '^# mine' /etc/archipelago/archipelago.conf
	gives 0 archipelago start
	gives 0 vlmc info disk
	[ "$(x systemctl is-enabled archipelago.target || true)" = disabled ]
}

scenario_purge() {
	xs "$apt purge archipelago archipelago-doc; userdel member 2>/dev/null || true; userdel stranger 2>/dev/null || true"
	list_files >"$work/after"
	diff "$work/before" "$work/after" >"$work/left" || true
	# Backups of the user database come with any new user.
	grep '^[<>]' "$work/left" | grep -vE '/etc/(passwd|group|shadow|gshadow|subuid|subgid)-$|/var/(mail|spool)' && fail 'purge left something'
	xs '[ -d /srv/archip/blocks ]; getent passwd archipelago; [ ! -e /run/archipelago ]; [ ! -e /dev/shm/archipelago ]'
}
