//go:build !peers && linux

package bench

// peers are none without the build tag "peers": the suite runs sendctl and the loop alone.
func peers() map[string]contender { return nil }
