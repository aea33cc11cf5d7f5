package doctor

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"archipelago/internal/mapfmt"
)

// halfDone says what a flag of a record means; whoever opens the volume next finishes it.
var halfDone = []struct {
	flag mapfmt.Flags
	text string
}{
	{mapfmt.FlagPending, "is being made"},
	{mapfmt.FlagMoving, "is being renamed"},
	{mapfmt.FlagFrom, "was renamed, and the old name isn't gone yet"},
	{mapfmt.FlagTrim, "was made smaller, and what was cut off isn't gone yet"},
}

// checkHalfDone reads the records of volumes for operations that were interrupted. While the node
// runs some may be under way.
func checkHalfDone(e *env, f *found) {
	r := mapBlocker(e.cfg)
	if r == nil {
		return
	}
	looked := 0
	err := filepath.WalkDir(filepath.Join(r.ArchipDir, "v"), func(path string, d fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) || err == nil && d.IsDir() {
			return nil
		}
		if err != nil {
			f.note(err.Error(), "Run this as root.")
			return fs.SkipDir
		}
		if looked++; looked > maxLooked {
			return errEnough
		}
		e.checkRecord(f, path, d.Name())
		return nil
	})
	f.summary = fmt.Sprintf("%d volumes and snapshots", looked)
	if errors.Is(err, errEnough) {
		f.summary = fmt.Sprintf("the first %d volumes and snapshots; `vlmc check` looks at all", maxLooked)
	}
}

func (e *env) checkRecord(f *found, path, name string) {
	b, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return // removed meanwhile
	}
	if err != nil {
		f.note(err.Error(), "Run this as root.")
		return
	}
	rec, err := mapfmt.DecodeRecord(b)
	if err != nil {
		f.problem(fmt.Sprintf("record of %s: %v", name, err), "See `vlmc check`. Don't change anything on the storage before.")
		return
	}
	var texts []string
	for _, h := range halfDone {
		if rec.Flags&h.flag != 0 {
			texts = append(texts, h.text)
		}
	}
	if len(texts) == 0 {
		return
	}
	text := fmt.Sprintf("%s %s", name, strings.Join(texts, ", "))
	if e.seg != nil {
		f.note(text+" (or that is under way just now)", "If it stays so: vlmc info "+name+" finishes it.")
		return
	}
	f.note(text, "Nothing: it is finished when the volume is used next.")
}
