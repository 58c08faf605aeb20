// Command sendctl sends batches of mail over TLS that the sender's policy demands, and
// tells what became of every recipient.
package main

// Old appliances sign with SHA-1 and have certificates with negative serial numbers. An
// opportunistic profile would rather encrypt to them than not; what a forced profile
// demands is judged after the handshake, whatever these two settings let through.
//
//go:debug tlssha1=1
//go:debug x509negativeserial=1

import (
	"os"

	"github.com/sendctl/sendctl/cmd"
)

func main() { os.Exit(cmd.Main()) }
