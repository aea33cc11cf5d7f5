// Package lint holds the rules of the repository as tests: who may import whom, where unsafe may
// be used, that packages are documented, and that nothing was left half done.
package lint
