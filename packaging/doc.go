// Packaging builds the Debian packages of Archipelago.
//
// It compiles the commands, generates man pages and completion, lays everything out in a stage
// directory as it will be installed, and packs that. The YAML file of a package says what dpkg must
// know about it, stage.go says which file goes where.
//
// Two builds of one commit are equal bit for bit: times come from SOURCE_DATE_EPOCH, paths of the
// machine stay out of the programs, and the order of files is that of their names.
package main
