package xseg_test

import (
	"testing"

	"archipelago/xseg/xsegtest"
)

func TestMain(m *testing.M) { xsegtest.Main(m, nil) }
