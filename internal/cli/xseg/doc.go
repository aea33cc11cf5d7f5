// Package xseg is the command line for those who debug the segment of a node: it makes and removes
// segments, shows what lies in one, and measures round trips to its peers. One file per command.
//
// All but ping only read the segment: a peer that hangs doesn't hold them up. In this package the
// name xseg always means the transport, package archipelago/xseg.
package xseg
