//go:build race

package cmd

// underRace: with the race detector a process takes long to start, and what is killed is
// another process anyway, which the detector does not see into.
const underRace = true
