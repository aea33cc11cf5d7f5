#!/bin/sh
# Installs the named Debian packages that are missing, as root or by sudo, saying so. Where that
# can't be done it says what stays away: the tests that need it are then skipped with the reason.
set -eu

missing=
for package in "$@"; do
	status=$(dpkg-query -W -f='${Status}' "$package" 2>/dev/null || true)
	case $status in
	*'install ok installed'*) ;;
	*) missing="$missing $package" ;;
	esac
done
[ -n "$missing" ] || exit 0

if ! command -v apt-get >/dev/null 2>&1; then
	echo "SKIP installing$missing: no apt-get here"
	exit 0
fi
if [ "$(id -u)" -eq 0 ]; then
	as_root=
elif command -v sudo >/dev/null 2>&1 && sudo -n true 2>/dev/null; then
	as_root='sudo -n'
else
	echo "SKIP installing$missing: neither root nor password-less sudo"
	exit 0
fi
echo "installing Debian packages${as_root:+ by sudo}:$missing"
# Lists may be missing on a fresh machine; two apt-get at once wait for each other here.
wait='-o DPkg::Lock::Timeout=300'
# shellcheck disable=SC2086 # word splitting of the list and of the options is meant
if ! $as_root env DEBIAN_FRONTEND=noninteractive apt-get $wait install -y -qq --no-install-recommends $missing >/dev/null 2>&1; then
	$as_root apt-get $wait update -qq
	$as_root env DEBIAN_FRONTEND=noninteractive apt-get $wait install -y -qq --no-install-recommends $missing >/dev/null
fi
