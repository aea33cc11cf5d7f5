package nbdd

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"testing"
)

// TestFioSpeed prints what fio reaches over the memory backend, whose IOs end inside Submit: the
// cost of the protocol alone. It asserts nothing. ARCHIPELAGO_BENCH=1 runs it.
func TestFioSpeed(t *testing.T) {
	if os.Getenv("ARCHIPELAGO_BENCH") == "" {
		t.Skip("a measurement; ARCHIPELAGO_BENCH=1 runs it")
	}
	h := start(t, Limits{}, newMemory(newExport("disk", 256<<20, 256)))
	for _, c := range []struct {
		rw    string
		depth int
		bs    string
	}{
		{"randread", 1, "4k"}, {"randwrite", 1, "4k"}, {"randread", 32, "4k"}, {"randwrite", 32, "4k"},
		{"read", 4, "1m"}, {"write", 4, "1m"},
	} {
		report := filepath.Join(t.TempDir(), "report")
		run(t, "fio", "--name=speed", "--ioengine=nbd", "--uri="+h.uri("disk"), "--rw="+c.rw, "--bs="+c.bs,
			fmt.Sprintf("--iodepth=%d", c.depth), "--size=256m", "--time_based", "--runtime=3", "--output-format=json", "--output="+report)
		out, err := os.ReadFile(report)
		if err != nil {
			t.Fatal(err)
		}
		var r struct {
			Jobs []struct {
				Read, Write struct {
					IOPS float64
					BW   float64 // KiB/s
				}
			}
		}
		if err := json.Unmarshal(out, &r); err != nil {
			t.Fatalf("%v in %s", err, out)
		}
		j := r.Jobs[0]
		t.Logf("%-9s %s depth %2d: %8.0f IOPS, %6.0f MB/s", c.rw, c.bs, c.depth,
			j.Read.IOPS+j.Write.IOPS, (j.Read.BW+j.Write.BW)*1024/1e6)
	}
}
