// Package xseg is the transport of a node: peers (processes, or parts of one) meet at numbered
// ports of one shared-memory segment and exchange requests over channels.
//
// A peer joins the segment, makes a Loop (one serving thread with one wait word), binds ports on
// it and connects channels from its ports to the ports of others. A request is filled in by its
// submitter (Call), served where it is received (Request), and answered in place: descriptor and
// buffer stay in shared memory, nothing is copied on the way.
//
// It knows no peer, no volume and no storage. The layout is include/xseg/abi.h, the protocol is
// docs/segment-layout.md.
package xseg
