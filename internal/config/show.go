package config

import (
	"fmt"
	"strings"
)

// Setting is one effective value.
type Setting struct {
	Role   string `json:"role,omitempty"` // "" for a key at the top
	Key    string `json:"key"`
	Value  any    `json:"value"` // int, string or bool
	Origin string `json:"origin"`
}

// Settings returns the effective values in the order of the file: first the keys at the top, then
// those of each role.
func (c *Config) Settings() []Setting {
	var all []Setting
	for i := range globalKeys {
		k := &globalKeys[i]
		all = append(all, c.setting("", k.Name, k.global(c)))
	}
	for i := range c.Roles {
		r := &c.Roles[i]
		for j := range roleKeys {
			k := &roleKeys[j]
			if k.has(r.Type) && r.shows(k.Name) {
				all = append(all, c.setting(r.Name, k.Name, k.role(r)))
			}
		}
	}
	return all
}

// shows leaves out one of the two ways to say which ports a role has.
func (r *Role) shows(key string) bool {
	switch key {
	case "portno":
		return r.PortStart == r.PortEnd
	case "portno_start", "portno_end":
		return r.PortStart != r.PortEnd
	}
	return true
}

func (c *Config) setting(role, key string, ptr any) Setting {
	s := Setting{Role: role, Key: key, Origin: c.Origin(role, key).String()}
	switch p := ptr.(type) {
	case *int:
		s.Value = *p
	case *string:
		s.Value = *p
	case *bool:
		s.Value = *p
	}
	return s
}

// Format returns c as a configuration file that says where each value comes from.
func (c *Config) Format() string {
	var b strings.Builder
	role := ""
	for _, s := range c.Settings() {
		if s.Role != role {
			if role == "" {
				c.formatRoles(&b)
			} else {
				b.WriteString("}\n")
			}
			role = s.Role
			fmt.Fprintf(&b, "\n%s = {\n", role)
		}
		value := literalOfValue(s.Value).text()
		if role == "" {
			fmt.Fprintf(&b, "%-40s # %s\n", s.Key+" = "+value, s.Origin)
		} else {
			fmt.Fprintf(&b, "    %-36s # %s\n", quote(s.Key)+": "+value+",", s.Origin)
		}
	}
	b.WriteString("}\n")
	return b.String()
}

func (c *Config) formatRoles(b *strings.Builder) {
	b.WriteString("\nroles = [\n")
	for _, r := range c.Roles {
		fmt.Fprintf(b, "    (%s, %s),\n", quote(r.Name), quote(r.Type))
	}
	b.WriteString("]\n")
}

func literalOfValue(v any) literal {
	switch v := v.(type) {
	case int:
		return literal{kind: kindInt, num: int64(v)}
	case bool:
		return literal{kind: kindBool, flag: v}
	}
	return literal{kind: kindString, str: v.(string)}
}
