package top

import (
	"strings"
	"time"

	"archipelago/internal/stats"
)

// View is what the screen shows. Its zero value isn't ready: see New.
type View struct {
	Order    Order
	Reverse  bool
	Filter   string // of names: parts of them, upper and lower case alike
	Peers    bool   // the peers are shown too
	Interval time.Duration

	paused bool
	typing bool // a filter
	help   bool

	at      time.Time
	seconds float64
	volumes []stats.VolumeRate
	ports   []stats.PortRate
	missed  uint64
	trouble string // why there is nothing new
}

// New makes a view with the usual order.
func New() *View { return &View{Order: ByIOPS, Peers: true, Interval: time.Second} }

// Report is what --json prints for each interval.
type Report struct {
	Time          time.Time          `json:"time"`
	Seconds       float64            `json:"seconds"` // that the rates are of
	VolumesMissed uint64             `json:"volumes_missed"`
	Volumes       []stats.VolumeRate `json:"volumes"`
	Ports         []stats.PortRate   `json:"ports"`
}

// Update takes what happened between two samples. A paused view doesn't change.
func (v *View) Update(before, now *stats.Sample) {
	if v.paused {
		return
	}
	v.trouble = ""
	v.at, v.seconds = now.At, now.At.Sub(before.At).Seconds()
	v.volumes, v.ports = stats.Volumes(before, now), stats.Ports(before, now)
	v.missed = now.Info.VolumesMissed
}

// Fail says why there is no sample.
func (v *View) Fail(err error) {
	if v.paused {
		return
	}
	v.trouble = err.Error()
	v.volumes, v.ports = nil, nil
}

// Report returns what is shown, in the order shown.
func (v *View) Report() *Report {
	r := &Report{Time: v.at, Seconds: v.seconds, VolumesMissed: v.missed, Volumes: v.shown(), Ports: v.ports}
	if r.Ports == nil {
		r.Ports = []stats.PortRate{}
	}
	return r
}

// shown returns the volumes that pass the filter, sorted.
func (v *View) shown() []stats.VolumeRate {
	list := []stats.VolumeRate{}
	for _, x := range v.volumes {
		if strings.Contains(strings.ToLower(x.Name), strings.ToLower(v.Filter)) {
			list = append(list, x)
		}
	}
	sortVolumes(list, v.Order, v.Reverse)
	return list
}
