package xseg_test

import (
	"testing"

	"archipelago/xseg/xsegtest"
)

func TestConformance(t *testing.T) { xsegtest.Conformance(t, xsegtest.Go()) }

// TestConformanceEventfd: the same where all peers sleep on eventfds.
func TestConformanceEventfd(t *testing.T) {
	impl := xsegtest.Go()
	impl.Steps, impl.Eventfd = false, true
	xsegtest.Conformance(t, impl)
}
