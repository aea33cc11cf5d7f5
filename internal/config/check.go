package config

import "fmt"

// span is a range of ports with the name that messages give it.
type span struct {
	who      string
	typ      string // of the role; "" for XSEGBD and VTOOL
	lo, hi   int
	at       place
	loK, hiK string
}

// check applies the rules between keys.
func (r *reader) check() {
	spans := r.spans()
	for _, s := range spans {
		r.checkSpan(s)
	}
	for i, a := range spans {
		for _, b := range spans[:i] {
			r.checkOverlap(a, b)
		}
	}
	r.checkDevices()
	for i := range r.cfg.Roles {
		role := &r.cfg.Roles[i]
		if r.bad[role.Name] {
			continue
		}
		r.checkRole(role)
		r.checkTargets(i, role)
	}
	r.checkPresent()
	r.checkShared()
}

// at returns where a key was given, else where its role or the file begins.
func (r *reader) at(ids ...string) place {
	for _, id := range ids {
		if o := r.cfg.origins[id]; o.Line > 0 {
			return place{o.Line, o.Col}
		}
	}
	return place{}
}

func (r *reader) spans() []span {
	c := r.cfg
	var spans []span
	add := func(s span, ids ...string) {
		for _, id := range ids {
			if r.bad[id] {
				return
			}
		}
		s.at = r.at(ids...)
		spans = append(spans, s)
	}
	add(span{who: "XSEGBD", lo: c.XsegbdStart, hi: c.XsegbdEnd, loK: "XSEGBD_START", hiK: "XSEGBD_END"},
		"XSEGBD_START", "XSEGBD_END")
	add(span{who: "VTOOL", lo: c.VtoolStart, hi: c.VtoolEnd, loK: "VTOOL_START", hiK: "VTOOL_END"},
		"VTOOL_START", "VTOOL_END")
	for _, x := range c.Roles {
		add(span{who: x.Name, typ: x.Type, lo: x.PortStart, hi: x.PortEnd, loK: "portno_start",
			hiK: "portno_end"}, x.Name+".portno", x.Name+".portno_start", x.Name+".ports", x.Name)
	}
	return spans
}

func (r *reader) checkSpan(s span) {
	if s.lo > s.hi {
		r.failf(s.at, "%s: %s is %d, but must be at most %s, which is %d", s.who, s.loK, s.lo, s.hiK, s.hi)
	}
	if top := r.cfg.SegmentPorts - 1; s.hi > top && !r.bad["SEGMENT_PORTS"] {
		r.failf(s.at, "%s: port %d lies outside the segment, whose last is %d (SEGMENT_PORTS = %d)",
			s.who, s.hi, top, top+1)
	}
}

func (r *reader) checkOverlap(a, b span) {
	if a.lo > a.hi || b.lo > b.hi || a.lo > b.hi || b.lo > a.hi {
		return
	}
	if a.at.line < b.at.line {
		a, b = b, a
	}
	what := fmt.Sprintf("ports %d-%d of %s overlap ports %d-%d of %s", a.lo, a.hi, a.who, b.lo, b.hi, b.who)
	if a.typ == TypeVlmcd && b.typ == TypeVlmcd {
		what += ": a volume would be served by two composers at once"
	}
	r.fail(a.at, what)
}

// checkDevices: each mapped device has a port of the composer of its own.
func (r *reader) checkDevices() {
	c := r.cfg
	x := c.ByType(TypeVlmcd)
	if x == nil || r.bad[x.Name] || r.bad[x.Name+".ports"] || r.bad["XSEGBD_START"] || r.bad["XSEGBD_END"] {
		return
	}
	if n, m := c.XsegbdEnd-c.XsegbdStart, x.PortEnd-x.PortStart; n > m && m >= 0 {
		r.failf(r.at("XSEGBD_END", "XSEGBD_START", x.Name),
			"XSEGBD has %d ports, but must not have more than %s, which has %d", n+1, x.Name, m+1)
	}
}

func (r *reader) checkRole(x *Role) {
	bad := func(key string) bool { return r.bad[x.Name+"."+key] }
	at := func(key string) place { return r.at(x.Name+"."+key, x.Name) }
	if x.Type == TypeFile && !bad("fdcache") && !bad("nr_threads") && x.FDCache < 2*x.NrThreads {
		r.failf(at("fdcache"), "%s: fdcache is %d, but must be at least twice nr_threads, which is %d",
			x.Name, x.FDCache, x.NrThreads)
	}
	n := x.PortEnd - x.PortStart + 1
	if x.Type == TypeVlmcd && !bad("ports") && !bad("nr_threads") && n > 0 && x.NrThreads > n {
		r.failf(at("nr_threads"), "%s: nr_threads is %d, but must be at most the number of its ports, %d",
			x.Name, x.NrThreads, n)
	}
	if x.Type != TypeVlmcd && !bad("ports") && n > 1 {
		r.failf(r.at(x.Name+".portno_end", x.Name), "%s: a %s has one port, not %d", x.Name, x.Type, n)
	}
	if x.Type == TypeNBD && !bad("socket") && len(x.Socket) > maxSocket {
		r.failf(at("socket"), "%s", tooLong("socket", x.Socket, maxSocket))
	}
}

// checkPresent: a node can't do without a mapper and a composer; they name their blockers.
func (r *reader) checkPresent() {
	if len(r.cfg.Roles) == 0 {
		return
	}
	for _, typ := range []string{TypeMapper, TypeVlmcd} {
		if r.cfg.ByType(typ) == nil {
			r.failf(r.at("roles"), "no role of type %s: a node needs one", typ)
		}
	}
}

// checkShared: what two roles must not have in common.
func (r *reader) checkShared() {
	dirs, sockets, mounts := map[string]string{}, map[string]string{}, map[string]string{}
	for _, x := range r.cfg.Roles {
		r.unique(dirs, x.Name, "archip_dir", x.ArchipDir)
		r.unique(sockets, x.Name, "socket", x.Socket)
		r.unique(mounts, x.Name, "mountpoint", x.Mountpoint)
	}
}

func (r *reader) unique(seen map[string]string, who, key, value string) {
	if value == "" || r.bad[who+"."+key] {
		return
	}
	if other, ok := seen[value]; ok {
		r.failf(r.at(who+"."+key, who), "%s: %s %s is that of %s too", who, key, quote(value), other)
	}
	seen[value] = who
}

func tooLong(what, path string, limit int) string {
	return fmt.Sprintf("%s %s has %d bytes, but must have at most %d", what, path, len(path), limit)
}
