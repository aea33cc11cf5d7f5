package xseg

import "testing"

// This file is a model of the wait word: one consumer that sleeps and two producers, in all
// interleavings, with a producer that may die at any step and waits that may end early. It is
// what Segment.wake and Loop.sleep do, step by step.

// Steps of the consumer.
const (
	consumerLook   = iota // awake: takes all that is published
	consumerArm           // word + 1: odd
	consumerAgain         // looks once more
	consumerWait          // enters the futex if the word is still what it was
	consumerAsleep        // in the futex
	consumerReturn        // word + 2
	consumerGoOn          // word + 1: even
)

// Steps of a producer.
const (
	producerPublish = iota
	producerRead    // reads the word and decides
	producerSwap    // word + 2, if it is still what was read
	producerLast    // remembers what it woke
	producerWake    // futex wake
	producerDone
	producerDead
)

const modelProducers = 2

type modelState struct {
	word     int8
	consumer uint8
	armed    int8 // the word that the consumer waits on
	early    uint8
	waiting  [modelProducers]bool // published and not taken
	step     [modelProducers]uint8
	read     [modelProducers]int8
	last     [modelProducers]int8
	left     [modelProducers]uint8
	deaths   uint8
}

// rules are the protocol; a test that switches one off must find lost wake-ups.
type rules struct {
	lookAgain     bool // it looks again between arming and waiting
	producerAdds  bool // a producer moves the word when it wakes
	sharedMemory  bool // both producers are one process: they share what was woken last, and die together
	clearsInstead bool // wrong: a producer clears the sleep bit instead of adding 2
	reloads       bool // wrong: after a wait the consumer arms itself with the word as it is
}

var protocol = rules{lookAgain: true, producerAdds: true}

func (s modelState) consumerSteps(r rules) []modelState {
	n := s
	pending := s.waiting != [modelProducers]bool{}
	switch s.consumer {
	case consumerLook:
		n.waiting = [modelProducers]bool{}
		if !pending {
			n.consumer = consumerArm
		}
	case consumerArm:
		n.word++
		n.armed, n.consumer = n.word, consumerAgain
	case consumerAgain:
		n.consumer = consumerWait
		if pending && r.lookAgain {
			n.consumer = consumerGoOn
		}
	case consumerWait:
		n.consumer = consumerAsleep
		if s.word != s.armed {
			n.consumer = consumerReturn
		}
	case consumerAsleep: // only a wake ends it, or chance
		if s.early == 0 {
			return nil
		}
		n.early--
		n.consumer = consumerReturn
	case consumerReturn:
		n.word += 2
		n.consumer = consumerGoOn
		if r.reloads {
			n.word -= 2
			n.armed, n.consumer = n.word, consumerAgain
		}
	case consumerGoOn:
		if n.word%2 != 0 {
			n.word++
		}
		n.consumer = consumerLook
	}
	return []modelState{n}
}

func (s modelState) producerSteps(i int, r rules) []modelState {
	n := s
	switch s.step[i] {
	case producerPublish:
		n.waiting[i] = true
		n.left[i]--
		n.step[i] = producerRead
	case producerRead:
		n.read[i] = s.word
		n.step[i] = producerSwap
		if s.word%2 == 0 || s.word == s.last[i] {
			n.step[i] = n.next(i)
		}
	case producerSwap:
		switch {
		case s.word != s.read[i]:
			n.step[i] = producerRead
		case r.clearsInstead:
			n.word++
			n.step[i] = producerWake
		default:
			if r.producerAdds {
				n.word += 2
			}
			n.step[i] = producerLast
		}
	case producerLast:
		woken := s.read[i]
		if r.producerAdds {
			woken += 2
		}
		n.last[i] = woken
		if r.sharedMemory {
			n.last[1-i] = woken
		}
		n.step[i] = producerWake
	case producerWake:
		if s.consumer == consumerAsleep {
			n.consumer = consumerReturn
		}
		n.step[i] = n.next(i)
	default:
		return nil
	}
	return append(s.dying(i, r), n)
}

func (s *modelState) next(i int) uint8 {
	if s.left[i] == 0 {
		return producerDone
	}
	return producerPublish
}

// dying is the state in which producer i has died before its next step; nobody waits for an
// answer to what it had published.
func (s modelState) dying(i int, r rules) []modelState {
	if s.deaths == 0 {
		return nil
	}
	s.deaths--
	for p := range modelProducers {
		if p == i || r.sharedMemory {
			s.step[p], s.waiting[p] = producerDead, false
		}
	}
	return []modelState{s}
}

// lost: the consumer sleeps for good while something waits for it, and nobody is about to wake it.
func (s modelState) lost() bool {
	if s.consumer != consumerAsleep || s.early != 0 || s.waiting == [modelProducers]bool{} {
		return false
	}
	for _, st := range s.step {
		if st != producerDone && st != producerDead {
			return false
		}
	}
	return true
}

// gone stands for any value that the word had before and never has again.
const gone = -9

// normal makes states that differ only in how often the word was moved equal: the word only grows,
// so that of a value which was read before it matters only whether it is still, or will become,
// the present one.
func (s modelState) normal() modelState {
	base := s.word - s.word&1
	s.word -= base
	rel := func(v int8, oldest int8) int8 {
		if v -= base; v < s.word-oldest {
			return gone
		}
		return v
	}
	s.armed = rel(s.armed, 0)
	for i := range modelProducers {
		s.read[i], s.last[i] = rel(s.read[i], 2), rel(s.last[i], 0)
		if s.step[i] != producerSwap && s.step[i] != producerLast {
			s.read[i] = gone
		}
	}
	return s
}

func explore(r rules) (states, lost int) {
	start := modelState{early: 2, deaths: 1, left: [modelProducers]uint8{4, 4}}.normal()
	seen := map[modelState]bool{start: true}
	for todo := []modelState{start}; len(todo) != 0; {
		s := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		if s.lost() {
			lost++
		}
		next := s.consumerSteps(r)
		for i := range modelProducers {
			next = append(next, s.producerSteps(i, r)...)
		}
		for _, n := range next {
			if n = n.normal(); !seen[n] {
				seen[n] = true
				todo = append(todo, n)
			}
		}
	}
	return len(seen), lost
}

func TestWaitWordModel(t *testing.T) {
	for name, shared := range map[string]bool{"two processes": false, "two threads": true} {
		r := protocol
		r.sharedMemory = shared
		states, lost := explore(r)
		t.Logf("%s: %d states", name, states)
		if lost != 0 || states < 10_000 {
			t.Errorf("%s: %d lost wake-ups in %d states", name, lost, states)
		}
	}
}

// TestWaitWordModelFindsFaults: each rule is there because without it wake-ups are lost.
func TestWaitWordModelFindsFaults(t *testing.T) {
	for name, plant := range map[string]func(*rules){
		"armed by a reload":     func(r *rules) { r.reloads = true },
		"no second look":        func(r *rules) { r.lookAgain = false },
		"word stays":            func(r *rules) { r.producerAdds = false },
		"producer clears a bit": func(r *rules) { r.clearsInstead = true },
	} {
		r := protocol
		plant(&r)
		if states, lost := explore(r); lost == 0 {
			t.Errorf("%s: no lost wake-up in %d states", name, states)
		}
	}
}
