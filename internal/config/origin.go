package config

import "fmt"

// Origin says where a value comes from: a line of the file, or nowhere (Line 0: it is a default,
// or that of the built-in configuration).
type Origin struct {
	File string
	Line int
	Col  int
}

func (o Origin) String() string {
	if o.Line == 0 {
		return "default"
	}
	return fmt.Sprintf("%s:%d", o.File, o.Line)
}

// note remembers where a key was given; id is KEY, a role's name, or role.key.
func (c *Config) note(id string, at place) {
	c.origins[id] = Origin{File: c.Path, Line: at.line, Col: at.col}
}

// Origin returns where the value of a key comes from; role is "" for a key at the top.
func (c *Config) Origin(role, key string) Origin {
	if role != "" {
		key = role + "." + key
	}
	return c.origins[key]
}
