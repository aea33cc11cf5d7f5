package main

import (
	"debug/dwarf"
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"
)

const layoutDoc = "../../../docs/segment-layout.md"

// TestDocument holds the tables of the manual equal to the header: every enum and struct of abi.h
// has one, after a comment that names it, and none has a row too many, too few or wrong.
func TestDocument(t *testing.T) {
	needCompiler(t)
	h, err := readHeader(includeDir)
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(layoutDoc)
	if err != nil {
		t.Fatal(err)
	}
	tables := readTables(string(text))
	for _, e := range h.enums {
		compare(t, tables, "enum "+e.EnumName, enumRows(t, e, tables["enum "+e.EnumName]))
	}
	for _, s := range h.structs {
		compare(t, tables, "struct "+s.StructName, structRows(s))
	}
	for name := range tables {
		t.Errorf("%s: in the document, but not in the header", name)
	}
}

// compare takes a table out of tables, so that what is left belongs to nothing.
func compare(t *testing.T, tables map[string][]string, name string, want []string) {
	got, ok := tables[name]
	if delete(tables, name); !ok {
		t.Errorf("%s: not in the document", name)
		return
	}
	for i := range max(len(got), len(want)) {
		switch {
		case i >= len(got):
			t.Errorf("%s: no row %q", name, want[i])
		case i >= len(want):
			t.Errorf("%s: row %q is too many", name, got[i])
		case got[i] != want[i]:
			t.Errorf("%s: row %q should be %q", name, got[i], want[i])
		}
	}
}

func structRows(s *dwarf.StructType) (rows []string) {
	for _, f := range s.Field {
		rows = append(rows, fmt.Sprintf("%d | %d | %s", f.ByteOffset, f.Type.Size(), f.Name))
	}
	return rows
}

// enumRows writes a value in the base that the document uses for it.
func enumRows(t *testing.T, e *dwarf.EnumType, doc []string) (rows []string) {
	for i, v := range e.Val {
		value := strconv.FormatInt(v.Val, 10)
		if i < len(doc) && strings.HasPrefix(doc[i], "0x") {
			value = fmt.Sprintf("%#x", v.Val)
		}
		rows = append(rows, value+" | "+v.Name)
	}
	return rows
}

// readTables returns the rows of each table that a comment stands before, up to the name.
func readTables(text string) map[string][]string {
	tables := map[string][]string{}
	var name string
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if c, ok := strings.CutPrefix(line, "<!-- "); ok {
			name = strings.TrimSuffix(c, " -->")
			tables[name] = nil
			continue
		}
		if !strings.HasPrefix(line, "|") {
			name = ""
			continue
		}
		if name != "" {
			tables[name] = append(tables[name], rowOf(line))
		}
	}
	for name, rows := range tables {
		tables[name] = rows[min(len(rows), 2):] // heading and rule
	}
	return tables
}

// rowOf drops the last column, which is prose.
func rowOf(line string) string {
	cells := strings.Split(strings.Trim(strings.ReplaceAll(line, `\|`, "/"), "|"), "|")
	for i := range cells {
		cells[i] = strings.TrimSpace(cells[i])
	}
	return strings.Join(cells[:len(cells)-1], " | ")
}
