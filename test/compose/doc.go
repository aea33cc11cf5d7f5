// Package compose holds tests of the composer and the mapper together, over stores in memory: the
// engines of peers/vlmcd and peers/mapperd as libraries, without a segment between them.
package compose
