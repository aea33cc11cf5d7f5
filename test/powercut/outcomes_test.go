package powercut

import (
	"fmt"
	"math/rand/v2"
)

// outcomes calls f with what a power cut may leave of d: with all of it if that is at most n, else
// with the worst, the best and others that the seed picks.
func outcomes(d disks, n int, seed uint64, f func(left disks, how string) error) error {
	all, whole := enumerated(d, n)
	if !whole {
		return sampled(d, n, seed, f)
	}
	for _, o := range all {
		if err := f(o.left, o.how); err != nil {
			return err
		}
	}
	return nil
}

// outcome is what a power cut has left, and the choices that led there.
type outcome struct {
	left disks
	how  string
}

// enumerated returns all outcomes; false if there are more than n. How many there are shows only on
// the way: where an object is torn, or its removal is lost, there is more to choose.
func enumerated(d disks, n int) (all []outcome, whole bool) {
	if atLeast(d, n) > n {
		return nil, false
	}
	path := []int{}
	for len(all) < n {
		limits := []int{}
		left := d.powerCut(func(k int) int {
			if len(limits) == len(path) {
				path = append(path, 0)
			}
			limits = append(limits, k)
			return path[len(limits)-1]
		})
		all = append(all, outcome{left, fmt.Sprint(path)})
		// The last choice that can be raised is raised, and those after it begin anew.
		i := len(limits) - 1
		for i >= 0 && path[i] == limits[i]-1 {
			i--
		}
		if i < 0 {
			return all, true
		}
		path = append(path[:i], path[i]+1)
	}
	return nil, false
}

// atLeast counts the choices on the way to the outcome that loses nothing, up to a little more than
// most. There may be far more outcomes, but often this saves making them.
func atLeast(d disks, most int) int {
	count := 1
	d.powerCut(func(k int) int {
		if count <= most {
			count *= k
		}
		return k - 1
	})
	return count
}

func sampled(d disks, n int, seed uint64, f func(left disks, how string) error) error {
	for i := range n {
		if err := f(d.powerCut(chooser(seed, i)), fmt.Sprintf("%d of seed %d", i, seed)); err != nil {
			return err
		}
	}
	return nil
}

// chooser picks the outcome number i: all is lost, nothing is, a little is, much is, or any of it.
func chooser(seed uint64, i int) func(n int) int {
	rng := rand.New(rand.NewPCG(seed, uint64(i)))
	rarely := func(usual func(n int) int) func(n int) int {
		return func(n int) int {
			if rng.IntN(6) == 0 {
				return rng.IntN(n)
			}
			return usual(n)
		}
	}
	none := func(int) int { return 0 }
	all := func(n int) int { return n - 1 }
	switch {
	case i == 0:
		return none
	case i == 1:
		return all
	case i%3 == 0:
		return rarely(none)
	case i%3 == 1:
		return rarely(all)
	}
	return rng.IntN
}
