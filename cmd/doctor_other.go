//go:build !linux && !darwin

package cmd

import "errors"

// volumeOf cannot tell here.
func volumeOf(string) (volume, error) {
	return volume{}, errors.New("sendctl cannot look at file systems of this operating system")
}

// clockState: the system does not tell.
func clockState() (synchronised, known bool) { return false, false }
