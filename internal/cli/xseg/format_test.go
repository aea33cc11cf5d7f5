package xseg

import (
	"math"
	"testing"
	"time"
	"unicode/utf8"

	"pgregory.net/rapid"
)

func TestShort(t *testing.T) {
	for _, c := range []struct{ got, want string }{
		{shortCount(0), "0"}, {shortCount(99_999), "99999"}, {shortCount(100_000), "100k"},
		{shortCount(999_499), "999k"}, {shortCount(999_500), "1.0M"}, {shortCount(1_250_000), "1.2M"},
		{shortCount(math.MaxUint64), "18E"},
		{shortRate(0), "0"}, {shortRate(0.25), "0.2"}, {shortRate(9.94), "9.9"}, {shortRate(9.96), "10"},
		{shortRate(9999.4), "9999"}, {shortRate(9999.5), "10k"}, {shortRate(2_340_000), "2.3M"},
		{shortBytes(0), "0"}, {shortBytes(1023), "1023"}, {shortBytes(1023.7), "1.0K"}, {shortBytes(4096), "4.0K"},
		{shortBytes(10 << 20), "10M"}, {shortBytes(1<<30 - 1), "1.0G"},
		{shortTime(0), "-"}, {shortTime(1), "1ns"}, {shortTime(999), "999ns"}, {shortTime(1000), "1.0µs"},
		{shortTime(9949), "9.9µs"}, {shortTime(9951), "10µs"}, {shortTime(999_600), "1.0ms"},
		{shortTime(42e9), "42s"}, {shortTime(5000e9), "5000s"},
		{counterTime(0), "-"}, {counterTime(511), "<512ns"}, {counterTime(512), "512ns"},
		{longTime(1234 * time.Millisecond), "1.2s"}, {longTime(90*time.Second + 400*time.Millisecond), "1m30s"},
	} {
		if c.got != c.want {
			t.Errorf("%q, want %q", c.got, c.want)
		}
	}
}

// TestShortIsShort: columns of a table stay narrow, whatever is in them.
func TestShortIsShort(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.Uint64().Draw(t, "n")
		for _, text := range []string{shortCount(n), shortBytes(float64(n)), shortTime(int64(n % 1e13)),
			shortRate(rapid.Float64Range(0, 1e18).Draw(t, "rate"))} {
			if utf8.RuneCountInString(text) > 5 {
				t.Fatalf("%q", text)
			}
		}
	})
}

func TestTable(t *testing.T) {
	tab := table{titles: []string{"N", "<NAME", "µ", "<"}}
	tab.add("1", "a", "1.5µs", "")
	tab.add("100", "long", "2ns", "DEAD")
	want := []string{
		"  N  NAME      µ",
		"  1  a     1.5µs",
		"100  long    2ns  DEAD",
	}
	got := tab.lines()
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("%q, want %q", got[i], want[i])
		}
	}
}

func TestFrame(t *testing.T) {
	lines := []string{"µµµµµ", "b", "c", "d"}
	for _, c := range []struct {
		width, height int
		want          string
	}{
		{3, 4, "\x1b[Hµµµ\x1b[K\r\nb\x1b[K\r\nc\x1b[K\r\nd\x1b[K\x1b[J"},
		{80, 3, "\x1b[Hµµµµµ\x1b[K\r\nb\x1b[K\r\n… and 2 more\x1b[K\x1b[J"},
	} {
		if got := frame(lines, c.width, c.height); got != c.want {
			t.Errorf("%q, want %q", got, c.want)
		}
	}
}
