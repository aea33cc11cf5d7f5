package main

import (
	"archipelago/internal/version"
)

const intro = `Archipelago composes thin, copy-on-write volumes out of objects of fixed size, which lie as files in
a directory. A snapshot or a clone takes milliseconds at any size of a volume, and needs no room
until it is written to.

A node is a set of peers, processes that meet in one segment of shared memory. The composer (vlmcd)
takes the reads and writes of volumes; the mapper (mapperd) knows which object holds which bytes;
blockers store the objects. nbdd serves volumes to NBD clients on a Unix socket, fused shows them as
files. Any peer may be killed, or replaced by a newer one, at any time: who uses a volume sees a
pause, never an error, and no acknowledged write is lost.

A write is acknowledged when it survives the death of every process. A flush makes it survive a power
cut as well.`

const tryIt = `  archipelago run -d /tmp/node &
  export ARCHIPELAGO_DIR=/tmp/node
  vlmc create web -s 10G
  vlmc snapshot web web-monday
  vlmc clone web-monday test
  vlmc list -l`

// overview is archipelago(7).
func overview(all []program, when string) string {
	p := newPage("archipelago", 7, when, "archipelago "+version.String(), "volumes for virtual machines: an overview")
	p.section("Description")
	p.text(intro)
	p.section("Programs")
	for _, prog := range all {
		p.item(prog.root.Short+".", reference(prog.root.Name(), prog.section))
	}
	p.section("Examples")
	p.text("A node without configuration, in the foreground, needs no rights:")
	p.code(tryIt)
	p.section("See also")
	p.linef("%s,\n%s,\n%s", reference("vlmc", 1), reference("archipelago", 8), reference("archipelago.conf", 5))
	return p.String()
}
