// Package crash kills the peers of a real node under verified load.
package crash
