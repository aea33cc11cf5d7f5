package config

import (
	"slices"
	"strings"
)

// target is a key of a role that names the port of another one.
type target struct {
	key   string
	types []string
	port  func(*Role) int
}

var targets = []target{
	{"blockerb_port", blockers, func(r *Role) int { return r.BlockerbPort }},
	{"blockerm_port", blockers, func(r *Role) int { return r.BlockermPort }},
	{"blocker_port", blockers, func(r *Role) int { return r.BlockerbPort }},
	{"mapper_port", []string{TypeMapper}, func(r *Role) int { return r.MapperPort }},
	{"vlmcd_port", []string{TypeVlmcd}, func(r *Role) int { return r.VlmcdPort }},
}

// checkTargets: a port that a role talks to is the first port of a role of the right type that
// starts before it (else the start would wait for ever).
func (r *reader) checkTargets(index int, x *Role) {
	for _, t := range targets {
		id := x.Name + "." + t.key
		if k := roleKey(x.Type, t.key); k == nil || r.bad[id] {
			continue
		}
		at, port := r.at(id, x.Name), t.port(x)
		other := slices.IndexFunc(r.cfg.Roles, func(o Role) bool {
			return o.PortStart == port && slices.Contains(t.types, o.Type) && !r.bad[o.Name+".ports"]
		})
		switch {
		case other < 0 && !r.anyBad(t.types):
			r.failf(at, "%s: %s is %d, but no role of type %s has that port as its first",
				x.Name, t.key, port, strings.Join(t.types, " or "))
		case other > index:
			r.failf(at, "%s: %s names %s, which must stand before %s in roles",
				x.Name, t.key, r.cfg.Roles[other].Name, x.Name)
		}
	}
	if x.Type == TypeMapper && x.BlockerbPort == x.BlockermPort && !r.bad[x.Name+".blockerb_port"] &&
		!r.bad[x.Name+".blockerm_port"] {
		r.failf(r.at(x.Name+".blockerm_port", x.Name),
			"%s: blockerb_port and blockerm_port must be two blockers", x.Name)
	}
}

// anyBad says whether a role of those types was refused: its ports aren't known then.
func (r *reader) anyBad(types []string) bool {
	return slices.ContainsFunc(r.cfg.Roles, func(o Role) bool {
		return slices.Contains(types, o.Type) && (r.bad[o.Name] || r.bad[o.Name+".ports"])
	})
}
