# shellcheck shell=bash disable=SC2154,SC2016 # lib.sh and run.sh set variables; the container's shell expands
# The packages themselves, and a node that was only installed.

scenario_reproducible() {
	local cache=$work/cache
	# The same version once more; the full form compiles all of it anew in another place.
	if [ -n "$full" ]; then
		mkdir "$work/tree"
		(cd "$tree" && git ls-files -z | xargs -0 tar c) | tar x -C "$work/tree"
		export GOCACHE=$cache SOURCE_DATE_EPOCH
		SOURCE_DATE_EPOCH=$(git -C "$tree" log -1 --format=%ct)
		(cd "$work/tree" && VERSION=$(version_of new) LINTIAN=no sh packaging/deb.sh "$work/again")
		rm -rf "$work/tree" "$cache"
	else
		build_packages "$(version_of new)" "$work/again"
	fi
	diff <(cd "$work/new" && sha256sum -- *.deb) <(cd "$work/again" && sha256sum -- *.deb)
	rm -rf "$work/again"
}

scenario_lintian() { lintian --allow-root --fail-on error,warning "$work"/new/*.deb; }

# list_files prints every file that isn't the archive's, the logs' or the kernel's.
list_files() {
	xs 'find / -xdev \( -path /proc -o -path /sys -o -path /dev -o -path /run -o -path /tmp -o -path /root \
		-o -path /opt -o -path /srv -o -path /var/tmp -o -path /var/cache -o -path "/var/lib/dpkg/*" \
		-o -path "/var/lib/apt/*" -o -path "/var/log/*" -o -path "/etc/apt/*" \) -prune -o -print | sort'
}

scenario_install() {
	list_files >"$work/before"
	from_repo old
	x cp /etc/archipelago/archipelago.conf /opt/archipelago.conf
	x dpkg -V archipelago
	# Nothing runs, nothing will by itself.
	[ "$(x systemctl is-active archipelago.target || true)" = inactive ]
	[ "$(x systemctl is-enabled archipelago.target || true)" = disabled ]
	xs '[ -z "$(systemctl list-units --no-legend --state=active "archipelago*")" ]; [ -z "$(systemctl --failed --no-legend)" ]'
	xs '[ ! -e /dev/shm/archipelago ]'
	xs 'getent passwd archipelago; getent group archipelago'
	xs '[ "$(stat -c %U:%G:%a /run/archipelago)" = archipelago:archipelago:2770 ]'
	xs 'dpkg-query -W -f="\${Conffiles}" archipelago | grep -q /etc/archipelago/archipelago.conf'
	gives 0 archipelago --version
	says "$(version_of old)"
}

scenario_documents() {
	xs 'for program in /usr/bin/archip* /usr/bin/vlmc /usr/bin/xseg; do
			ls /usr/share/man/man[18]/$(basename $program).[18].gz
		done
		ls /usr/share/man/man5/archipelago.conf.5.gz /usr/share/man/man7/archipelago.7.gz
		for program in archipelago vlmc xseg; do
			ls /usr/share/bash-completion/completions/$program /usr/share/zsh/vendor-completions/_$program
			ls /usr/share/fish/vendor_completions.d/$program.fish
		done'
	dpkg-deb -c "$work"/new/archipelago-doc_*.deb | grep html/installation.html
}

scenario_units_verify() {
	gives 0 systemd-analyze --man=no verify archipelago.target archipelago-segment.service \
		archipelago-modules.service archipelago-peer@blockerb.service archipelago-peer@nbdd.service \
		archipelago-map@disk.service archipelago-metrics.service
	[ -z "$output" ] || fail 'systemd-analyze verify has something to say'
}

scenario_units_security() {
	local role exposure
	for role in $(roles); do
		exposure=$(x systemd-analyze security --no-pager "archipelago-peer@$role.service" |
			sed -n 's/.*Overall exposure level.*: \([0-9.]*\).*/\1/p')
		note "$role $exposure"
		awk -v have="$exposure" 'BEGIN { exit !(have != "" && have < 2.5) }'
	done
	for role in segment modules map@disk; do
		note "$role $(x systemd-analyze security --no-pager "archipelago-$role.service" |
			sed -n 's/.*Overall exposure level.*: \([0-9.]*\).*/\1/p')"
	done
}

scenario_status_of_a_stopped_node() {
	gives 13 archipelago status
	says 'not running'
	gives 13 archipelago status --json
	gives 13 vlmc list
	gives 0 archipelago stop
}
