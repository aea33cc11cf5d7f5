package config

import (
	"fmt"
	"path/filepath"
	"regexp"
	"strings"
)

// Limits that hold for the whole node; those of the segment are XSEG_* of its layout.
const (
	minPorts     = 16
	maxPorts     = 65536
	minSize      = 16      // MiB
	maxSize      = 1 << 20 // MiB
	maxOps       = 1024
	maxThreads   = 1024
	maxFDCache   = 1 << 20
	maxCopyUp    = 1 << 30 // KiB a second
	maxClients   = 65536
	maxRequests  = 65536
	minMemory    = 4 // MiB: the longest request that is passed on
	maxMemory    = 65536
	maxName      = 63  // segment, node
	maxRole      = 31  // role
	maxRuntime   = 79  // bytes; leaves room for the names of the sockets in it
	maxSocket    = 107 // bytes; sun_path of Linux less the final NUL
	maxLogLevel  = 3
	onlyAlign    = 12
	maxPathBytes = 4095
)

// rule says which values a key allows. The text completes "… must be".
type rule struct {
	text string
	ok   func(v any) bool
}

func number(lo, hi int) rule {
	return rule{fmt.Sprintf("a number from %d to %d", lo, hi), func(v any) bool {
		n := *v.(*int)
		return lo <= n && n <= hi
	}}
}

func exactly(n int) rule {
	return rule{fmt.Sprint(n), func(v any) bool { return *v.(*int) == n }}
}

func powerOfTwo(hi int) rule {
	return rule{fmt.Sprintf("a power of two from 1 to %d", hi), func(v any) bool {
		n := *v.(*int)
		return 1 <= n && n <= hi && n&(n-1) == 0
	}}
}

func oneOf(words ...string) rule {
	return rule{"'" + strings.Join(words, "' or '") + "'", func(v any) bool {
		for _, w := range words {
			if *v.(*string) == w {
				return true
			}
		}
		return false
	}}
}

func boolean() rule { return rule{"True or False", func(any) bool { return true }} }

func name(re *regexp.Regexp, what string) rule {
	return rule{what, func(v any) bool { return re.MatchString(*v.(*string)) }}
}

// path allows an absolute, clean path of at most limit bytes.
func path(limit int) rule {
	return rule{fmt.Sprintf("an absolute path of at most %d bytes", limit), func(v any) bool {
		s := *v.(*string)
		return filepath.IsAbs(s) && len(s) <= limit && !strings.ContainsRune(s, 0)
	}}
}

// orEmpty allows "" besides what r allows.
func orEmpty(r rule) rule {
	return rule{r.text + ", or ''", func(v any) bool { return *v.(*string) == "" || r.ok(v) }}
}

var (
	segmentName = regexp.MustCompile(`^[A-Za-z0-9_-][A-Za-z0-9._-]{0,62}$`)
	nodeName    = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$`)
	cephName    = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9._-]{0,62}$`)
	roleName    = regexp.MustCompile(`^[a-z][a-z0-9_]{0,30}$`)
)
