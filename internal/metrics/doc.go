// Package metrics shows the state of a node in the form of Prometheus: what its segment, its storage
// and /proc say when it is scraped. No peer is asked, so a node that hangs is seen to hang.
//
// A node that isn't running is no error: archipelago_up is 0 then, and most other metrics are
// missing. The list of metrics is docs/monitoring.md; a test compares.
package metrics
