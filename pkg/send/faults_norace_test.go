//go:build !race

package send_test

// patience is by how much slower everything is than without the race detector.
const patience = 1
