package transport

import (
	"os"
	"testing"

	"archipelago/xseg/xsegtest"
)

// soak says whether there is time for the long instances.
var soak = os.Getenv("ARCHIPELAGO_SOAK") == "1"

func TestMain(m *testing.M) {
	xsegtest.Main(m, map[string]xsegtest.Role{
		"leaf": leafRole, "front": frontRole, "client": clientRole,
	})
}
