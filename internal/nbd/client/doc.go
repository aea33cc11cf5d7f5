// Package client is a small NBD client: fixed newstyle negotiation, structured replies, requests of
// many goroutines under way at once on one connection. With Options.Redial it survives the end of
// its connection: calls wait for a new one and are sent again.
//
// A repeated write may reach the server twice; the call returns when the last one was answered.
// Overlapping writes of several goroutines have no order of their own anyway.
package client
