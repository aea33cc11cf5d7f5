package config

import (
	"fmt"

	"go.starlark.net/syntax"
)

// kind is the type of a literal, in the words of the error messages.
type kind string

const (
	kindString kind = "a string"
	kindInt    kind = "a number"
	kindBool   kind = "True or False"
	kindList   kind = "a list"
	kindTuple  kind = "a tuple"
	kindDict   kind = "a dictionary"
)

// place is a position in the file, counted from 1; the zero value is "nowhere".
type place struct{ line, col int }

func placeOf(p syntax.Position) place { return place{int(p.Line), int(p.Col)} }

// literal is a value of the file.
type literal struct {
	at     place
	kind   kind
	str    string
	num    int64
	flag   bool
	items  []literal
	fields []field
}

// field is an entry of a dictionary, or an assignment at the top of the file.
type field struct {
	at    place
	name  string
	value literal
}

// literalOf turns an expression into a value; anything but a literal is an error, nothing is
// evaluated. A refused one has no kind. The recursion is bounded by maxFileBytes.
func (r *reader) literalOf(e syntax.Expr) (literal, bool) {
	start, _ := e.Span()
	l := literal{at: placeOf(start)}
	switch e := e.(type) {
	case *syntax.Literal:
		return r.scalar(l, e)
	case *syntax.Ident:
		l.kind, l.flag = kindBool, e.Name == "True"
		if l.flag || e.Name == "False" {
			return l, true
		}
	case *syntax.UnaryExpr:
		return r.negative(l, e)
	case *syntax.ParenExpr:
		return r.literalOf(e.X)
	case *syntax.ListExpr:
		l.kind = kindList
		return r.sequence(l, e.List)
	case *syntax.TupleExpr:
		l.kind = kindTuple
		return r.sequence(l, e.List)
	case *syntax.DictExpr:
		return r.dict(l, e)
	}
	r.fail(l.at, "not a literal: only strings, numbers, True, False, lists, tuples and "+
		"dictionaries of them are allowed")
	return literal{at: l.at}, false
}

func (r *reader) scalar(l literal, e *syntax.Literal) (literal, bool) {
	switch v := e.Value.(type) {
	case string:
		l.kind, l.str = kindString, v
		if e.Token == syntax.STRING {
			return l, true
		}
	case int64:
		l.kind, l.num = kindInt, v
		return l, true
	}
	r.fail(l.at, fmt.Sprintf("%s: only strings and whole numbers of at most 64 bits are allowed", e.Raw))
	return literal{at: l.at}, false
}

func (r *reader) negative(l literal, e *syntax.UnaryExpr) (literal, bool) {
	x, ok := e.X.(*syntax.Literal)
	if !ok || e.Op != syntax.MINUS || x.Token != syntax.INT {
		r.fail(l.at, "not a literal: a sign may stand before a number only")
		return literal{at: l.at}, false
	}
	l, ok = r.scalar(l, x)
	l.num = -l.num
	return l, ok
}

func (r *reader) sequence(l literal, list []syntax.Expr) (literal, bool) {
	ok := true
	for _, e := range list {
		item, good := r.literalOf(e)
		l.items = append(l.items, item)
		ok = ok && good
	}
	return l, ok
}

func (r *reader) dict(l literal, e *syntax.DictExpr) (literal, bool) {
	l.kind = kindDict
	ok := true
	seen := map[string]place{}
	for _, x := range e.List {
		entry := x.(*syntax.DictEntry)
		key, good := r.literalOf(entry.Key)
		value, fine := r.literalOf(entry.Value)
		if good && key.kind != kindString {
			r.fail(key.at, fmt.Sprintf("a key of a dictionary is %s, not %s", kindString, key.kind))
			good = false
		}
		ok = ok && good && fine
		if !good || r.duplicate(seen, key.str, key.at) {
			continue
		}
		// A field whose value was refused keeps its name, so that it isn't reported missing too.
		l.fields = append(l.fields, field{at: key.at, name: key.str, value: value})
	}
	return l, ok
}

// duplicate reports a name that was seen before; Python would silently keep the last one.
func (r *reader) duplicate(seen map[string]place, name string, at place) bool {
	first, dup := seen[name]
	if dup {
		r.fail(at, fmt.Sprintf("%s is given twice, first in line %d", name, first.line))
		return true
	}
	seen[name] = at
	return false
}
