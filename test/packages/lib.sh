# shellcheck shell=bash disable=SC2154,SC2016,SC2034 # run.sh sets variables; the container's shell expands
# What scenarios are made of. run.sh has set here, tree, work, node and full.

patience=60 # seconds that anything may take before a scenario fails; never a measure

# provide_packages builds the packages as two versions, old and new, makes a signed repository of
# each, and boots the container that sees them.
provide_packages() {
	if [ -n "${DEBS:-}" ]; then
		cp -r "$DEBS/old" "$DEBS/new" "$work/"
	else
		echo '      building the packages, twice'
		build_packages "$(version_of old)" "$work/old" && build_packages "$(version_of new)" "$work/new" || return
	fi
	mkdir -p "$work/repo"
	"$tree/packaging/apt-repo.sh" "$work/repo/old" "$work/old" >/dev/null &&
		KEY=$work/repo/old.key "$tree/packaging/apt-repo.sh" "$work/repo/new" "$work/new" >/dev/null || return
	mv "$work/repo/old.key" "$work/key"
	(cd "$tree" && CGO_ENABLED=0 ${GO:-go} build -o "$work/verify" ./test/packages/verify) || return
	CONTAINER_ROOT=$("$here/rootfs.sh") || return
	export CONTAINER_ROOT
	"$here/container.sh" up "$node" --bind-ro "$work/repo:/opt/repo" --bind-ro "$work/verify:/opt/verify"
}

# version_of old|new
version_of() {
	case $1 in
	old) echo 0.1.0~test1 ;;
	new) echo 0.1.0~test2 ;;
	esac
}

# build_packages VERSION DIR
build_packages() {
	if ! VERSION=$1 LINTIAN=no sh "$tree/packaging/deb.sh" "$2" >"$work/build.log" 2>&1; then
		cat "$work/build.log"
		return 1
	fi
}

# x runs a command in the container, xs a script.
x() { "$here/container.sh" exec "$node" "$@"; }
xs() { x bash -euo pipefail -c "$1"; }

note() { echo "NOTE $*"; }
skip() {
	echo "SKIP $*"
	exit 77
}
fail() {
	echo "FAILED: $*"
	exit 1
}

# rounds SHORT LONG prints how often something is done in this profile.
rounds() { if [ -n "$full" ]; then echo "$2"; else echo "$1"; fi; }

# gives STATUS CMD... runs CMD in the container and fails unless it exits with STATUS. What it printed
# is in $output.
gives() {
	local want=$1 got=0
	shift
	output=$(x "$@" 2>&1) || got=$?
	printf '%s\n%s\n' "+ $*" "$output"
	[ "$got" = "$want" ] || fail "status $got, not $want"
}

# says PATTERN fails unless the last output has a line of it.
says() { grep -qE -e "$1" <<<"$output" || fail "the output has no line like: $1"; }

# within CMD... repeats CMD (on this machine) until it succeeds.
within() {
	local deadline=$((SECONDS + patience))
	until "$@"; do
		((SECONDS < deadline)) || fail "not within $patience s: $*"
		sleep 0.1 # between two looks; what counts is the deadline
	done
}

show() { x systemctl show -P "$2" "$1"; }
pid_of() { show "archipelago-peer@$1.service" MainPID; }
restarts_of() { show "archipelago-peer@$1.service" NRestarts; }
roles() { echo blockerb blockerm mapperd vlmcd nbdd; }

# fresh_config puts the shipped configuration back, and the directories that it names.
fresh_config() {
	xs 'cp /opt/archipelago.conf /etc/archipelago/archipelago.conf
		install -d -o archipelago -g archipelago -m 750 /srv/archip /srv/archip/blocks /srv/archip/maps
		systemctl daemon-reload' # roles may be others
}

# up makes a node that runs, whatever the scenario before it left.
up() {
	fresh_config
	x archipelago start >/dev/null 2>&1 || {
		x archipelago stop -f >/dev/null 2>&1 || true
		x systemctl reset-failed
		x archipelago start
	}
	x archipelago status
}

# off makes a node that doesn't run.
off() {
	x archipelago stop -f || true
	x systemctl reset-failed
	fresh_config
}

# volume NAME [SIZE] makes a blank volume, and no other of that name.
volume() {
	x vlmc remove "$1" >/dev/null 2>&1 || true
	x vlmc create "$1" -s "${2:-64M}"
}

# load_begin VOLUME starts a verified load on a new volume; load_end ends it and fails if anything
# was wrong. One at a time.
load_begin() {
	volume "$1"
	x sh -c "echo \$\$ >/run/verify.pid; exec /opt/verify $1" >"$work/load" 2>&1 &
	load=$!
	within load_writes
}

load_writes() {
	kill -0 "$load" 2>/dev/null || fail "the load ended: $(cat "$work/load")"
	grep -q writing "$work/load"
}

load_end() {
	xs 'kill -TERM $(cat /run/verify.pid)' || true
	wait "$load" || fail "load: $(cat "$work/load")"
	note "$(tail -n 1 "$work/load")"
}

# paused_less_than MS fails if a request of the load that ended last took longer: an orderly restart
# must not run into the limits after which a peer is left behind (10 s).
paused_less_than() {
	awk -v limit="$1" '{
		text = $NF
		ms = text ~ /ms$/ ? text + 0 : text ~ /m/ ? 60000 : 1000 * (text + 0)
		exit !(ms < limit)
	}' <(tail -n 1 "$work/load") || fail "a longer pause than $1 ms: $(tail -n 1 "$work/load")"
}

# another_pid ROLE PID says whether the role runs as another process than PID.
another_pid() {
	local now
	now=$(pid_of "$1")
	[ "$now" != 0 ] && [ "$now" != "$2" ] && [ "$(show "archipelago-peer@$1.service" ActiveState)" = active ]
}

# strike ROLE SIGNAL sends a signal and waits for the successor.
strike() {
	local pid
	pid=$(pid_of "$1")
	[ "$pid" != 0 ] || fail "$1 does not run"
	x bash -c "kill -$2 $pid"
	within another_pid "$1" "$pid"
}

# fio_verify NAME ROUNDS writes, then reads everything back, so many times.
fio_verify() {
	x env -C /tmp fio --name=verify --verify_state_save=0 --ioengine=nbd "--uri=nbd+unix:///$1?socket=/run/archipelago/nbd.sock" \
		--rw=randwrite --bs=4k --iodepth=8 --size=32M --verify=crc32c --verify_fatal=1 \
		--loops="$2" --output-format=terse
}

apt='apt-get -q -y -o Dpkg::Use-Pty=0 -o Dpkg::Options::=--force-confold -o APT::Sandbox::User=root'

# from_repo WHICH installs what the old or the new repository has, also if it is a downgrade.
from_repo() {
	local version
	version=$(version_of "$1")-1
	xs "mkdir -p /etc/apt/keyrings
		cp /opt/repo/$1/archipelago.asc /etc/apt/keyrings/
		rm -f /etc/apt/sources.list /etc/apt/sources.list.d/*
		echo 'deb [signed-by=/etc/apt/keyrings/archipelago.asc] file:/opt/repo/$1 stable main' \
			>/etc/apt/sources.list.d/archipelago.list
		$apt update
		$apt --no-install-recommends --allow-downgrades install \
			archipelago=$version archipelago-doc=$version </dev/null"
}
