// Package transport holds tests of package xseg as a whole, with peers in processes of their own:
// a soak in which they are killed and stopped at random under load, and hostile peers that
// scribble over what they share with others.
package transport
