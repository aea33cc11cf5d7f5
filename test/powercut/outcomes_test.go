package powercut

import (
	"fmt"
	"math/rand/v2"
)

// outcomes calls f with what a power cut may leave of d: with all of it if that is at most n, else
// with the worst, the best and others that the seed picks.
func outcomes(d disks, n int, seed uint64, f func(left disks, how string) error) error {
	path := []int{}
	if possible(d, n) > n {
		return sampled(d, n, seed, f)
	}
	for {
		limits := []int{}
		left := d.powerCut(func(k int) int {
			if len(limits) == len(path) {
				path = append(path, 0)
			}
			limits = append(limits, k)
			return path[len(limits)-1]
		})
		if err := f(left, fmt.Sprint(path)); err != nil {
			return err
		}
		// The last choice that can be raised is raised, and those after it begin anew.
		i := len(limits) - 1
		for i >= 0 && path[i] == limits[i]-1 {
			i--
		}
		if i < 0 {
			return nil
		}
		path = append(path[:i], path[i]+1)
	}
}

// possible counts the outcomes, up to a little more than most.
func possible(d disks, most int) int {
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
