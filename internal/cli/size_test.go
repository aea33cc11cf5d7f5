package cli

import (
	"strconv"
	"testing"

	"pgregory.net/rapid"
)

func TestParseSize(t *testing.T) {
	for text, want := range map[string]int64{
		"1": 1 << 20, "10240": 10240 << 20, "512B": 512, "512b": 512, "1k": 1 << 10, "1K": 1 << 10,
		"3KiB": 3 << 10, "4M": 4 << 20, "4MiB": 4 << 20, "4mib": 4 << 20, "2G": 2 << 30, "16T": 16 << 40,
		"1PiB": 1 << 50, "9223372036854775807B": 1<<63 - 1,
		// Not sizes.
		"": 0, "0": 0, "0G": 0, "-1": 0, "+1": 0, "1.5G": 0, "1KB": 0, "1MB": 0, "G": 0, "1 G": 0, " 1": 0,
		"0x10": 0, "1e3": 0, "1GG": 0, "1iB": 0, "1_000": 0, "9223372036854775808B": 0, "8388608T": 0,
		"99999999999999999999": 0, "18014398509481984K": 0,
	} {
		got, err := ParseSize(text)
		if got != want || (err == nil) != (want > 0) {
			t.Errorf("%q: %d, %v; want %d", text, got, err, want)
		}
	}
}

// TestSizesReadBack: a size in whole units is shown as it was given.
func TestSizesReadBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.Int64Range(1, 1023).Draw(t, "n")
		unit := rapid.SampledFrom([]string{"K", "M", "G", "T", "P"}).Draw(t, "unit")
		var s Size
		if err := s.Set(strconv.FormatInt(n, 10) + unit); err != nil {
			t.Fatal(err)
		}
		if want := strconv.FormatInt(n, 10) + " " + unit + "iB"; s.String() != want {
			t.Fatalf("%s, want %s", s.String(), want)
		}
	})
}

func FuzzParseSize(f *testing.F) {
	for _, s := range []string{"1", "10G", "4MiB", "-1", "8388608T"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if n, err := ParseSize(s); (err == nil) != (n > 0) {
			t.Errorf("%q: %d, %v", s, n, err)
		}
	})
}

func TestFormatSize(t *testing.T) {
	for n, want := range map[int64]string{
		0: "0 B", 1023: "1023 B", 1024: "1 KiB", 1536: "1.5 KiB", 1 << 20: "1 MiB", 5 << 30: "5 GiB",
		1<<40 + 1<<39: "1.5 TiB", 1<<63 - 1: "8.0 EiB",
	} {
		if got := FormatSize(n); got != want {
			t.Errorf("%d: %s, want %s", n, got, want)
		}
	}
}
