package cli

import (
	"fmt"
	"math"
	"math/bits"
	"strconv"
	"strings"
)

// Size is a flag for a number of bytes: a number with a unit, or a plain number of MiB.
type Size int64

// units by their suffix, in lower case. KB, MB … are left out: to some they are powers of 1000.
var units = map[string]uint{
	"b": 0, "k": 10, "kib": 10, "m": 20, "mib": 20, "": 20, "g": 30, "gib": 30,
	"t": 40, "tib": 40, "p": 50, "pib": 50,
}

// ParseSize reads a size: digits, then B, K, M, G, T, P or KiB, MiB, GiB, TiB, PiB in either case;
// without a unit it is MiB, as documented. The result is positive.
func ParseSize(s string) (int64, error) {
	digits := strings.TrimRight(s, "BKMGTPIbkmgtpi")
	shift, ok := units[strings.ToLower(s[len(digits):])]
	n, err := strconv.ParseUint(digits, 10, 64)
	if !ok || err != nil || digits[0] == '+' {
		return 0, fmt.Errorf("%q is not a size: a whole number, in MiB or with one of the units "+
			"B, K, M, G, T, P", s)
	}
	if n == 0 {
		return 0, fmt.Errorf("a size of 0 is not possible")
	}
	if bits.Len64(n)+int(shift) > 63 {
		return 0, fmt.Errorf("size %s is larger than %s", s, FormatSize(math.MaxInt64))
	}
	return int64(n << shift), nil
}

// Set, String and Type make Size a flag.
func (s *Size) Set(text string) error {
	n, err := ParseSize(text)
	*s = Size(n)
	return err
}

func (s *Size) String() string {
	if *s == 0 {
		return ""
	}
	return FormatSize(int64(*s))
}

// Type names the argument in help texts.
func (s *Size) Type() string { return "SIZE" }

// FormatSize returns n bytes in the largest unit with at least one whole, to a tenth.
func FormatSize(n int64) string {
	const names = "KMGTPE"
	if n < 1<<10 {
		return fmt.Sprintf("%d B", n)
	}
	i := (bits.Len64(uint64(n)) - 1) / 10
	unit := int64(1) << (10 * i)
	if n%unit == 0 {
		return fmt.Sprintf("%d %ciB", n/unit, names[i-1])
	}
	return fmt.Sprintf("%.1f %ciB", float64(n)/float64(unit), names[i-1])
}
