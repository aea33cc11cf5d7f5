package screen

import (
	"math"
	"testing"
	"time"
	"unicode/utf8"

	"pgregory.net/rapid"
)

func TestShort(t *testing.T) {
	for _, c := range []struct{ got, want string }{
		{ShortCount(0), "0"}, {ShortCount(99_999), "99999"}, {ShortCount(100_000), "100k"},
		{ShortCount(999_499), "999k"}, {ShortCount(999_500), "1.0M"}, {ShortCount(1_250_000), "1.2M"},
		{ShortCount(math.MaxUint64), "18E"},
		{ShortRate(0), "0"}, {ShortRate(0.25), "0.2"}, {ShortRate(9.94), "9.9"}, {ShortRate(9.96), "10"},
		{ShortRate(9999.4), "9999"}, {ShortRate(9999.5), "10k"}, {ShortRate(2_340_000), "2.3M"},
		{ShortBytes(0), "0"}, {ShortBytes(1023), "1023"}, {ShortBytes(1023.7), "1.0K"}, {ShortBytes(4096), "4.0K"},
		{ShortBytes(10 << 20), "10M"}, {ShortBytes(1<<30 - 1), "1.0G"},
		{ShortTime(0), "-"}, {ShortTime(1), "1ns"}, {ShortTime(999), "999ns"}, {ShortTime(1000), "1.0µs"},
		{ShortTime(9949), "9.9µs"}, {ShortTime(9951), "10µs"}, {ShortTime(999_600), "1.0ms"},
		{ShortTime(42e9), "42s"}, {ShortTime(5000e9), "5000s"},
		{CounterTime(0), "-"}, {CounterTime(511), "<512ns"}, {CounterTime(512), "512ns"},
		{LongTime(1234 * time.Millisecond), "1.2s"}, {LongTime(90*time.Second + 400*time.Millisecond), "1m30s"},
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
		for _, text := range []string{ShortCount(n), ShortBytes(float64(n)), ShortTime(int64(n % 1e13)),
			ShortRate(rapid.Float64Range(0, 1e18).Draw(t, "rate"))} {
			if utf8.RuneCountInString(text) > 5 {
				t.Fatalf("%q", text)
			}
		}
	})
}

func TestTable(t *testing.T) {
	tab := Table{Titles: []string{"N", "<NAME", "µ", "<"}}
	tab.Add("1", "a", "1.5µs", "")
	tab.Add("100", "long", "2ns", "DEAD")
	want := []string{
		"  N  NAME      µ",
		"  1  a     1.5µs",
		"100  long    2ns  DEAD",
	}
	got := tab.Lines()
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

// TestCutKeepsColours: a colour takes no column, and one that was begun ends.
func TestCutKeepsColours(t *testing.T) {
	line := "ab\x1b[32mcdef\x1b[0mgh"
	for width, want := range map[int]string{
		8: line, 5: "ab\x1b[32mcde\x1b[0m", 2: "ab\x1b[32m\x1b[0m",
	} {
		if got := cut(line, width); got != want {
			t.Errorf("%d: %q, want %q", width, got, want)
		}
	}
}
