package vlmc

import "bytes"

const (
	// blockBytes is the unit of a transfer: the size of a default object, so that an object is
	// written whole, which is its cheapest birth.
	blockBytes = 4 << 20
	// parallel is how many blocks are under way; together they fill a channel's buffer area.
	parallel = 4
	// pieceBytes is the unit in which zeros are looked for: the sub-block of a default object.
	pieceBytes = 64 << 10
)

var zeros [pieceBytes]byte

// run is a range of a block.
type run struct{ from, to int }

// dataRuns returns the ranges of b that hold data, in whole pieces; what lies between is zeros.
func dataRuns(b []byte) []run {
	var runs []run
	for at := 0; at < len(b); at += pieceBytes {
		end := min(at+pieceBytes, len(b))
		if bytes.Equal(b[at:end], zeros[:end-at]) {
			continue
		}
		if n := len(runs); n > 0 && runs[n-1].to == at {
			runs[n-1].to = end
		} else {
			runs = append(runs, run{at, end})
		}
	}
	return runs
}
