package kill

import (
	"fmt"
	"os"
	"sync"
	"testing"
)

// troubledBin is where the build for tests of a sick store lies: made once, by the first that
// needs it.
var troubledBin struct {
	once sync.Once
	dir  string
}

func TestMain(m *testing.M) {
	code := m.Run()
	if dir := troubledBin.dir; dir != "" {
		if err := os.RemoveAll(dir); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = max(code, 1)
		}
	}
	os.Exit(code)
}

// sickBin returns binaries whose stores can be made to misbehave.
func sickBin(t *testing.T) string {
	t.Helper()
	troubledBin.once.Do(func() {
		dir, err := os.MkdirTemp("", "archip-test-")
		if err != nil {
			t.Fatal(err)
		}
		troubledBin.dir = dir
		faulty(t, dir, troubled, "archip-filed")
	})
	return troubledBin.dir
}
