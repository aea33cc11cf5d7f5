// Package xsegtest helps to test whatever speaks over a segment: a throw-away segment (Node),
// peers on it, in this process or in others that can be killed, and the conformance suite of the
// transport (Conformance).
//
// Child processes are the test binary itself: a package that uses them calls Main from its
// TestMain.
package xsegtest
