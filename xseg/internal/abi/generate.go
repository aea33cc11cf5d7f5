package abi

//go:generate go run ../abigen -include ../../include
