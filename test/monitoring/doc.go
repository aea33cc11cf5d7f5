// Package monitoring runs the dashboard and the alert rules that the project ships against a real
// Prometheus that scrapes a loaded node, and the rules against made-up series.
package monitoring
