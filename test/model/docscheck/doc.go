// Package docscheck holds what the documents say about the tree, as tests: a rule in
// docs/write-path.md names the tests that hold it, and those have to exist.
package docscheck
