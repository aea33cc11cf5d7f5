// Package twonodes tests two nodes on one store: a composer and a mapper each, over stores in memory
// that both use. One volume wanders between them, while both read it all the time.
package twonodes
