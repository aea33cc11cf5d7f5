package kill

import (
	"context"
	"os/exec"
	"slices"
	"strconv"
	"testing"
	"time"

	"archipelago/test/testnode"
	"archipelago/xseg"
)

// TestFioUnderKills: fio verifies what it writes while every peer but nbdd is killed and stopped.
// fio's NBD engine ends with its connection; kills of nbdd are for clients that connect again, as
// the one of TestStorm does.
func TestFioUnderKills(t *testing.T) {
	if _, err := exec.LookPath("fio"); err != nil {
		t.Skip("fio is not installed")
	}
	n := testnode.Start(t)
	s := &storm{t: t, n: n, rng: seeded(t)}
	n.Vlmc("create", "origin", "--size", "32M")
	n.Vlmc("snapshot", "origin", "snap")
	n.Vlmc("clone", "snap", "vol")

	ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
	defer cancel()
	done := make(chan error, 1)
	var out []byte
	want := strikes(50, 2000)
	ended := false
	seed := s.rng.Uint64() // here: the source belongs to the storm
	go func() {
		var err error
		out, err = fio(ctx, socket(t, n), time.Duration(want)*200*time.Millisecond, seed)
		done <- err
	}()
	for struck := 0; struck < want && !ended; struck++ {
		s.strikeButServer()
		select {
		case err := <-done:
			ended = true
			done <- err
		case <-time.After(time.Duration(s.rng.IntN(200)) * time.Millisecond): // at varied moments
		}
	}
	if err := <-done; err != nil {
		t.Errorf("fio after %v: %v\n%s", &s.tally, err, out)
	}
	n.Vlmc("check")
	t.Logf("%d processes killed, %d stopped\n%s", s.tally.kills, s.tally.stops, out)
}

// fio writes and verifies for so long, with flushes. It must not have two writes to a block under way at
// once: which of them lands last is nobody's promise.
func fio(ctx context.Context, socket string, took time.Duration, seed uint64) ([]byte, error) {
	cmd := exec.CommandContext(ctx, "fio", "--name=verify", "--ioengine=nbd",
		"--uri=nbd+unix:///vol?socket="+socket, "--rw=randwrite", "--bsrange=4k-64k", "--iodepth=8",
		"--size=32M", "--verify=crc32c", "--verify_fatal=1", "--verify_backlog=64", "--verify_state_save=0",
		"--serialize_overlap=1",
		"--fsync=200", "--time_based", "--runtime="+strconv.Itoa(max(1, int(took.Seconds()))), "--minimal",
		"--randseed="+strconv.FormatUint(seed>>1, 10))
	return cmd.CombinedOutput()
}

// strikeButServer kills or stops one or two of the peers behind the NBD server.
func (s *storm) strikeButServer() {
	peers := slices.DeleteFunc(s.n.Peers(), func(p xseg.PortInfo) bool { return p.Role == "nbdd" })
	s.rng.Shuffle(len(peers), func(i, j int) { peers[i], peers[j] = peers[j], peers[i] })
	k := min(len(peers), 1+s.rng.IntN(2))
	if s.rng.IntN(3) == 0 {
		s.stop(peers[:k], peers[k:])
		return
	}
	s.kill(peers[:k])
}
