#!/bin/sh
# Makes, or brings up to date, a signed repository for apt in a directory.
#   apt-repo.sh DIR [PACKAGES]   takes the packages (*.deb) from PACKAGES, build/deb by default
# Packages of earlier versions stay in it. Environment:
#   KEY=FILE   the secret key that signs (armored); without it DIR.key, made at first use.
#
# DIR is what a web server shows, or what is copied to the nodes; the secret key lies beside it, not
# in it.
set -eu
dir=${1:?apt-repo.sh: DIR is needed: the directory of the repository}
packages=${2:-$(dirname "$0")/../build/deb}
for tool in apt-ftparchive gpg gpgconf; do
	command -v "$tool" >/dev/null || {
		echo "apt-repo.sh: $tool is not installed (packages apt-utils, gnupg)" >&2
		exit 1
	}
done
ls "$packages"/*.deb >/dev/null || {
	echo "apt-repo.sh: no packages in $packages: make deb" >&2
	exit 1
}
umask 022
mkdir -p "$dir/pool" "$dir/dists/stable/main/binary-amd64"
dir=$(cd "$dir" && pwd)
key=${KEY:-$dir.key}

# A keyring for this run alone: neither the keys of the caller are touched nor its agent.
GNUPGHOME=$(mktemp -d)
export GNUPGHOME
trap 'gpgconf --kill all; rm -rf "$GNUPGHOME"' EXIT

if [ ! -s "$key" ]; then
	[ -z "${KEY:-}" ] || {
		echo "apt-repo.sh: there is no key $KEY" >&2
		exit 1
	}
	gpg --batch --quiet --passphrase '' --quick-generate-key \
		'Archipelago packages <maintainers@archipelago.invalid>' ed25519 sign never
	(umask 077 && gpg --batch --quiet --armor --export-secret-keys >"$key")
	echo "made the key $key: keep it, and keep it secret"
else
	gpg --batch --quiet --import "$key"
fi
gpg --batch --armor --export >"$dir/archipelago.asc"

cp "$packages"/*.deb "$dir/pool/"
cd "$dir"
apt-ftparchive packages pool >dists/stable/main/binary-amd64/Packages
gzip -9nkf dists/stable/main/binary-amd64/Packages
# Made beside its place: a Release inside would list itself.
apt-ftparchive -o APT::FTPArchive::Release::Origin=Archipelago \
	-o APT::FTPArchive::Release::Label=Archipelago -o APT::FTPArchive::Release::Suite=stable \
	-o APT::FTPArchive::Release::Codename=stable -o APT::FTPArchive::Release::Architectures=amd64 \
	-o APT::FTPArchive::Release::Components=main release dists/stable >"$GNUPGHOME/Release"
rm -f dists/stable/Release dists/stable/InRelease
gpg --batch --yes --quiet --clearsign -o dists/stable/InRelease "$GNUPGHOME/Release"

cat <<EOF
The repository is $dir. On a node:
  cp $dir/archipelago.asc /etc/apt/keyrings/
  echo 'deb [signed-by=/etc/apt/keyrings/archipelago.asc] file:$dir stable main' >/etc/apt/sources.list.d/archipelago.list
  apt update && apt install archipelago
Over a network: serve the directory by any web server, and name its URL instead of file:$dir.
EOF
