# shellcheck shell=bash disable=SC2154,SC2016 # lib.sh and run.sh set variables; the container's shell expands
# Who may do what.

as() { "$here/container.sh" as "$node" "$@"; }

# user_gives USER STATUS CMD...
user_gives() {
	local user=$1
	local want=$2
	shift 2
	gives "$want" runuser -u "$user" -- "$@"
}

users() {
	xs 'id member >/dev/null 2>&1 || useradd member -G archipelago
		id stranger >/dev/null 2>&1 || useradd stranger'
}

scenario_stranger() {
	up
	users
	local status=0
	output=$(as stranger archipelago stop 2>&1) || status=$?
	echo "$output"
	[ "$status" != 0 ]
	says 'group archipelago|sudo|root'
	output=$(as stranger vlmc list 2>&1) && fail 'a stranger lists volumes'
	echo "$output"
	says 'ermission|group archipelago'
	gives 0 archipelago status
}

scenario_member() {
	users
	off
	user_gives member 0 archipelago start
	user_gives member 0 archipelago status
	user_gives member 0 vlmc create members -s 8M
	user_gives member 0 vlmc remove members
	user_gives member 0 archipelago restart vlmcd
	user_gives member 0 archipelago stop
	# The rule is for the node alone.
	output=$(as member systemctl stop dbus.socket 2>&1) && fail 'a member may stop any unit'
	output=$(as member systemctl enable archipelago.target 2>&1) && fail 'a member may enable units'
	x systemctl is-active dbus.socket
}
