package mapfmt

import "strings"

// Limits of names. Part of the format: do not change.
const (
	VolumeNameMax = 128 // bytes of the name of a volume or snapshot
	NodeNameMax   = 128 // bytes of the name of a node
	ObjectNameMax = 176 // bytes of the name of an object; what a blocker takes
)

// CheckVolumeName says whether name may be that of a volume or snapshot, and if not, why not.
func CheckVolumeName(name string) error {
	return checkName("volume name", name, VolumeNameMax, "._:@+-")
}

// CheckNodeName says whether name may be that of a node, and if not, why not.
func CheckNodeName(name string) error {
	return checkName("node name", name, NodeNameMax, "._-")
}

func checkName(what, name string, most int, marks string) error {
	switch {
	case name == "":
		return namef("%s is empty", what)
	case len(name) > most:
		return namef("%s of %d bytes is longer than %d", what, len(name), most)
	case name[0] == '-' || name[0] == '.':
		return namef("%s %q starts with %q", what, name, name[0])
	}
	for i := 0; i < len(name); i++ {
		if !isAlnum(name[i]) && !strings.Contains(marks, name[i:i+1]) {
			return namef("%s %q has %q at byte %d; allowed are letters, digits and %s",
				what, name, name[i], i, marks)
		}
	}
	return nil
}

func isAlnum(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
}
