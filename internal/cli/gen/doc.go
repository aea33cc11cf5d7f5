// Command gen writes what is generated from the commands themselves: a man page for each of them,
// archipelago.conf(5) from the shipped file, archipelago(7), and the completion for bash, zsh and
// fish.
//
//	go run ./internal/cli/gen -out DIR [-root TREE]
//
// DIR gets man/*.1, *.5, *.7, *.8 and completion/{bash,zsh,fish}/. A command that is added to one of
// the programs, or a peer to cmd/, comes out by itself. The date of the pages is SOURCE_DATE_EPOCH,
// or today.
package main
