// Package screen lays data out for people: tables, short forms of numbers, and a terminal on which
// one table takes the place of another. It knows nothing of what it shows.
package screen
