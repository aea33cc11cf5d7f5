package main

import (
	"bytes"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestGroups(t *testing.T) {
	for in, want := range map[string][][]string{
		"":                   nil,
		"./...":              {{"./..."}},
		"-- -race ./...":     {{"-race", "./..."}},
		"-- a b -- c -- d e": {{"a", "b"}, {"c"}, {"d", "e"}},
	} {
		if diff := cmp.Diff(want, groups(strings.Fields(in))); diff != "" {
			t.Errorf("%q:\n%s", in, diff)
		}
	}
}

// TestRead: what go test -json says becomes lines, counts and reasons.
func TestRead(t *testing.T) {
	var out bytes.Buffer
	r := &run{out: &out, output: map[string][]string{}}
	r.read(strings.NewReader(`{"Action":"pass","Package":"p","Test":"A"}
{"Action":"output","Package":"p","Test":"B","Output":"    b_test.go:1: no root\n"}
{"Action":"skip","Package":"p","Test":"B"}
{"Action":"output","Package":"p","Test":"C","Output":"boom\n"}
{"Action":"fail","Package":"p","Test":"C"}
{"Action":"fail","Package":"p","Elapsed":1.5}
build failed
`))
	r.summary(0)
	want := "FAIL p C\nboom\nfail p (1.5 s)\nbuild failed\nSKIP p B: b_test.go:1: no root\n" +
		"1 packages in 0s\n1 passed, 1 failed, 1 skipped\n"
	if diff := cmp.Diff(want, out.String()); diff != "" {
		t.Error(diff)
	}
}
