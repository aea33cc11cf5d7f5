// Package cli is what all command lines of the project share: the root command with the flags that
// name a node, the table of exit codes and the one switch from errors to them, output as text or
// JSON, sizes with units, and progress on a terminal.
//
// Data goes to standard output; progress and errors go to standard error. With --json each datum is
// one JSON object on a line of its own, and an error is {"error": text, "code": exit status}.
package cli
