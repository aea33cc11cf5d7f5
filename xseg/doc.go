// Package xseg is the transport of a node: peers (processes, or parts of one) meet at numbered
// ports of one shared-memory segment and exchange requests over channels.
//
// A peer joins the segment, makes a Loop (one serving thread with one wait word), binds ports on
// it and connects channels from its ports to the ports of others. A request is filled in by its
// submitter (Call), served where it is received (Request), and answered in place: descriptor and
// buffer stay in shared memory, nothing is copied on the way.
//
// What dies with a process is noticed by two things that the kernel does for it: its port lock on
// the segment file goes, and its sockets close. A channel outlives its server: the submitter
// pushes what isn't done to the successor, which serves only when nothing that its predecessor
// had passed on is worked on any more. A channel of a dead submitter is given back when its last
// request has ended. Nothing in shared memory is ever locked, waited for or repaired by a peer
// while it serves; the control lock orders only who binds, connects and gives back.
//
// What another peer wrote is read once and checked. A peer that breaks its own channel harms
// itself alone.
//
// It knows no peer, no volume and no storage. The layout is include/xseg/abi.h, the protocol is
// docs/segment-layout.md. Lock order: the control lock, then Segment.mu; Port.mu and Channel.mu
// are never held while the control lock is taken.
package xseg
