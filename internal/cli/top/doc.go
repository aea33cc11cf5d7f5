// Package top is the view of `archipelago top`: which volumes and ports are shown, in which order,
// and how that fits a screen. It is told of samples and keys and returns lines; it knows no
// terminal and no segment.
package top
