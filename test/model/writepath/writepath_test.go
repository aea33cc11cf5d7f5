package writepath

import (
	"os"
	"testing"

	"archipelago/test/model"
)

// soak says whether there is time for the long instances.
var soak = os.Getenv("ARCHIPELAGO_SOAK") == "1"

// explore fails unless nothing goes wrong in cfg, whoever remembers reservations.
func explore(t *testing.T, cfg Config) {
	t.Helper()
	for _, cfg.ComposerReserves = range []bool{false, true} {
		if raceEnabled && !cfg.ComposerReserves {
			continue // ten times slower, and there is but one goroutine
		}
		r, err := Explore(cfg, model.Options{MaxStates: 50_000_000})
		if err != nil {
			t.Fatal(err)
		}
		if r.Violation != nil {
			t.Fatal(r)
		}
		t.Logf("composer reserves %v: %v", cfg.ComposerReserves, r)
	}
}

func TestWhole(t *testing.T)          { explore(t, whole()) }
func TestWriteRace(t *testing.T)      { explore(t, race()) }
func TestSnapshot(t *testing.T)       { explore(t, snapshots()) }
func TestPowerCuts(t *testing.T)      { explore(t, cuts()) }
func TestBlank(t *testing.T)          { explore(t, blank()) }
func TestSparse(t *testing.T)         { explore(t, sparse()) }
func TestCopyUp(t *testing.T)         { explore(t, copyUp()) }
func TestDiscard(t *testing.T)        { explore(t, discard()) }
func TestMerge(t *testing.T)          { explore(t, merge()) }
func TestLate(t *testing.T)           { explore(t, late()) }
func TestDiscardInPlace(t *testing.T) { explore(t, discardInPlace()) }
func TestCompaction(t *testing.T)     { explore(t, compactions()) }
func TestAppends(t *testing.T)        { explore(t, appends()) }
func TestOrphans(t *testing.T)        { explore(t, orphans()) }
func TestGhosts(t *testing.T)         { explore(t, ghosts()) }
func TestFailedSync(t *testing.T)     { explore(t, failures()) }
func TestTightLog(t *testing.T)       { explore(t, tight()) }
func TestForced(t *testing.T)         { explore(t, forced()) }

// TestLong adds a kill or a power cut to what the short tests have.
func TestLong(t *testing.T) {
	if !soak {
		t.Skip("millions of states: set ARCHIPELAGO_SOAK=1")
	}
	for name, cfg := range map[string]Config{
		"whole": whole(), "race": race(), "snapshots": snapshots(), "cuts": cuts(), "blank": blank(),
		"discard": discard(), "merge": merge(), "late": late(), "orphans": orphans(), "forced": forced(),
	} {
		t.Run(name, func(t *testing.T) {
			cfg.Kills++
			if cfg.Compactions == 0 {
				cfg.Compactions = 1
			}
			explore(t, cfg)
		})
	}
}
