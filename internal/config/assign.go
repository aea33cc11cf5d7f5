package config

import (
	"fmt"
	"math"
	"strings"
)

// set stores a literal in the field that dst points to, if the key allows it.
func (r *reader) set(k *Key, who string, dst any, f field) bool {
	label := k.Name
	if who != "" {
		label = who + ": " + k.Name
	}
	if f.value.kind == "" { // refused where it was read
		return false
	}
	if want := kindOf(dst); want != f.value.kind {
		r.failf(f.value.at, "%s must be %s, not %s", label, k.rule.text, f.value.kind)
		return false
	}
	was := load(dst)
	if !store(dst, f.value) || !k.rule.ok(dst) {
		r.failf(f.value.at, "%s is %s, but must be %s", label, f.value.text(), k.rule.text)
		store(dst, was)
		return false
	}
	return true
}

func kindOf(dst any) kind {
	switch dst.(type) {
	case *int:
		return kindInt
	case *string:
		return kindString
	}
	return kindBool
}

// load is the inverse of store.
func load(dst any) literal {
	switch p := dst.(type) {
	case *int:
		return literal{kind: kindInt, num: int64(*p)}
	case *string:
		return literal{kind: kindString, str: *p}
	}
	return literal{kind: kindBool, flag: *dst.(*bool)}
}

// store reports false for a number that no key could allow.
func store(dst any, l literal) bool {
	switch p := dst.(type) {
	case *int:
		if l.num < math.MinInt32 || l.num > math.MaxInt32 {
			return false
		}
		*p = int(l.num)
	case *string:
		*p = l.str
	case *bool:
		*p = l.flag
	}
	return true
}

// text returns a scalar as the file has it.
func (l literal) text() string {
	switch l.kind {
	case kindInt:
		return fmt.Sprint(l.num)
	case kindBool:
		if l.flag {
			return "True"
		}
		return "False"
	}
	return quote(l.str)
}

// quote returns s as a string of the file, in the documented style.
func quote(s string) string {
	var b strings.Builder
	b.WriteByte('\'')
	for _, c := range []byte(s) {
		switch {
		case c == '\'' || c == '\\':
			b.WriteByte('\\')
			b.WriteByte(c)
		case c < ' ' || c == 0x7f:
			fmt.Fprintf(&b, `\x%02x`, c)
		default:
			b.WriteByte(c)
		}
	}
	b.WriteByte('\'')
	return b.String()
}

// globals stores the keys at the top of the file; what remains must be roles.
func (r *reader) globals(fields []field) {
	for _, f := range fields {
		k := globalKey(f.name)
		if k == nil {
			continue
		}
		if r.set(k, "", k.global(r.cfg), f) {
			r.cfg.note(f.name, f.at)
		} else {
			r.bad[f.name] = true
		}
	}
	r.cfg.derive()
}

func globalKey(name string) *Key {
	for i := range globalKeys {
		if globalKeys[i].Name == name {
			return &globalKeys[i]
		}
	}
	return nil
}
