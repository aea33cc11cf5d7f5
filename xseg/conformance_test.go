package xseg_test

import (
	"testing"

	"archipelago/xseg/xsegtest"
)

func TestConformance(t *testing.T) { xsegtest.Conformance(t, xsegtest.Go()) }
