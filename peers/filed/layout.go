package filed

import "strings"

// shardMark starts the name of a directory that isn't a component of any object's name.
const shardMark = '='

// physical returns where the object (or lock chain) of that name lies.
func physical(name string) string {
	first, rest, found := strings.Cut(name, "/")
	if isUUID(first) {
		return shard(first) + name
	}
	if !found || !isKind(first) {
		return strings.Clone(name)
	}
	second, _, _ := strings.Cut(rest, "/")
	return first + "/" + shard(second) + rest
}

// isKind tells the name spaces that have an entry for every volume.
func isKind(first string) bool {
	switch first {
	case "v", "c", "t", "l":
		return true
	}
	return false
}

func isUUID(s string) bool {
	if len(s) != 36 {
		return false
	}
	for i := range len(s) {
		c := s[i]
		if i == 8 || i == 13 || i == 18 || i == 23 {
			if c != '-' {
				return false
			}
		} else if (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return false
		}
	}
	return true
}

// shard returns the directory for a component, with the slash that follows. Part of the layout on
// disk (FNV-1a, folded to 8 bits): do not change.
func shard(component string) string {
	h := uint32(2166136261)
	for i := range len(component) {
		h = (h ^ uint32(component[i])) * 16777619
	}
	const digits = "0123456789abcdef"
	n := byte(h ^ h>>8 ^ h>>16 ^ h>>24)
	return string([]byte{shardMark, digits[n>>4], digits[n&15], '/'})
}

// parent returns the directory of a path; "." for one at the root.
func parent(path string) string {
	if i := strings.LastIndexByte(path, '/'); i >= 0 {
		return path[:i]
	}
	return "."
}
