// Package trace traces volumes on a real node: every request is there, with its time, while peers are
// restarted, too.
package trace
