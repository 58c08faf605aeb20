//go:build race

package send_test

// patience is by how much slower everything is under the race detector. Each case is then met
// in one way only: what it is to find is in the engine, which they share.
const patience = 6
